using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules.Tracking;

/// <summary>The kinds of values that a rule loads into registers.</summary>
internal enum LoadedKind
{
    Unknown,

    /// <summary>Bytes of the rule itself.</summary>
    Constant,

    /// <summary>Bytes of a header of the packet.</summary>
    Header,
    Protocol,

    InputInterface,
    OutputInterface,

    /// <summary>The family as a number of netfilter.</summary>
    Family,

    /// <summary>The family as an Ethernet type.</summary>
    EthernetType,
    State,

    /// <summary>Anything else of the entry.</summary>
    Entry,
}

/// <summary>A value that a rule loads into registers.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Length">Its length in bytes.</param>
internal sealed record Loaded(LoadedKind Kind, int Length)
{
    /// <summary>The header, for a value of one.</summary>
    public PayloadBase Base { get; init; }

    /// <summary>The offset in the header.</summary>
    public int Offset { get; init; }

    /// <summary>The bytes of a constant.</summary>
    public byte[] Bytes { get; init; } = [];

    /// <summary>The words of nft for a value of the entry.</summary>
    public string What { get; init; } = "";

    /// <summary>True for the bits of the status that only translated connections have.</summary>
    public bool IsTranslationStatus { get; init; }

    /// <summary>The changes before the comparison, in their order: bits to keep and bits to invert; or null to swap the byte order.</summary>
    public IReadOnlyList<(byte[] Mask, byte[] Xor)?> Changes { get; init; } = [];

    /// <summary>The bytes to compare, if the value is that of a state.</summary>
    public byte[] BytesOf(PacketStates state)
    {
        byte[] bytes = [.. MemoryMarshal.AsBytes([(uint)state])];
        foreach ((byte[] Mask, byte[] Xor)? change in Changes)
        {
            if (change is not { } bits)
            {
                Array.Reverse(bytes);
                continue;
            }

            for (int i = 0; i < bytes.Length && i < bits.Mask.Length; i++)
                bytes[i] = (byte)((bytes[i] & bits.Mask[i]) ^ bits.Xor[i]);
        }

        return bytes;
    }

    /// <summary>The bytes and the mask that the field itself must have for the value to be the given one. Null if it was changed in another
    /// way.</summary>
    public (byte[] Value, byte[] Mask)? Undo(ReadOnlySpan<byte> value)
    {
        if (Changes.Count == 0)
            return (value.ToArray(), [.. Enumerable.Repeat((byte)0xff, value.Length)]);
        if (Changes is not [{ } bits] || bits.Mask.Length < value.Length || bits.Xor.Length < value.Length)
            return null;
        byte[] undone = value.ToArray();
        for (int i = 0; i < undone.Length; i++)
            undone[i] ^= bits.Xor[i];
        return (undone, bits.Mask[..undone.Length]);
    }
}

/// <summary>The registers of a rule while it is read: 16 of 4 bytes each.</summary>
internal sealed class NftRegisters
{
    private const int Count = 16;
    private const int RegisterLength = 4;

    private readonly Loaded?[] _values = new Loaded?[Count];

    /// <summary>Stores a value, which begins in a register.</summary>
    public void Set(uint register, Loaded value)
    {
        int first = IndexOf(register);
        for (int i = 0; i < ElementType.Registers(Math.Max(value.Length, 1)) && first + i is >= 0 and < Count; i++)
            _values[first + i] = i == 0 ? value : null;
    }

    /// <summary>The value that begins in a register, of unknown kind if there is none.</summary>
    public Loaded Get(uint register) => At(IndexOf(register)) ?? new Loaded(LoadedKind.Unknown, RegisterLength);

    /// <summary>The values of a key of several fields, each in whole registers.</summary>
    public IReadOnlyList<Loaded> Fields(uint register, int length)
    {
        List<Loaded> fields = [];
        for (int index = IndexOf(register), rest = length; rest > 0;)
        {
            Loaded field = At(index) ?? new Loaded(LoadedKind.Unknown, Math.Min(rest, RegisterLength));
            fields.Add(field);
            int registers = ElementType.Registers(Math.Max(field.Length, 1));
            (index, rest) = (index + registers, rest - registers * RegisterLength);
        }

        return fields;
    }

    /// <summary>NFT_REG_1 to NFT_REG_4 are the first of four registers of 4 bytes each.</summary>
    private static int IndexOf(uint register) => register < (uint)NftRegister.First ? ((int)register - 1) * 4 : (int)(register - (uint)NftRegister.First);

    private Loaded? At(int index) => index is >= 0 and < Count ? _values[index] : null;
}

/// <summary>Makes conditions of comparisons.</summary>
internal static class NftComparison
{
    /// <summary>The states that packets can have.</summary>
    public static readonly PacketStates[] States =
        [PacketStates.Invalid, PacketStates.Established, PacketStates.Related, PacketStates.New, PacketStates.Untracked];

    private static readonly RuleTest Unknown = new UnknownTest();

    /// <summary>The conditions for a value that is compared with bytes (nft_cmp.c).</summary>
    /// <param name="value">The value.</param>
    /// <param name="comparison">The comparison.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="family">The family of the packet, if it is known.</param>
    public static IEnumerable<RuleTest> Compare(Loaded value, CompareOperator comparison, byte[] bytes, IPFamily? family)
    {
        switch (value.Kind)
        {
            case LoadedKind.State:
                return [new StateTest(StatesThat(state => Matches(value.BytesOf(state), comparison, bytes)))];
            case LoadedKind.Entry:
                bool isZero = bytes.All(part => part == 0);
                Answer tracked = value.IsTranslationStatus && isZero
                    ? comparison switch { CompareOperator.Eq => Answer.Yes, CompareOperator.Neq => Answer.No, _ => Answer.Maybe }
                    : Answer.Maybe;
                return [new EntryTest(value.What, tracked, Answer.No)];
            default:
                return comparison switch
                {
                    CompareOperator.Eq => Equal(value, bytes, family),
                    CompareOperator.Neq when Equal(value, bytes, family) is [var only] => [Not(only)],
                    CompareOperator.Lt or CompareOperator.Lte or CompareOperator.Gt or CompareOperator.Gte => [Between(value, bytes, comparison, family)],
                    _ => [Unknown],
                };
        }
    }

    /// <summary>The condition for a value in a range, with both its ends.</summary>
    public static RuleTest InRange(Loaded value, byte[] first, byte[] last, IPFamily? family)
    {
        switch (value.Kind)
        {
            case LoadedKind.State:
                return new StateTest(StatesThat(state => value.BytesOf(state) is var bytes && bytes.AsSpan().SequenceCompareTo(first) >= 0 && bytes.AsSpan().SequenceCompareTo(last) <= 0));
            case LoadedKind.Entry:
                return new EntryTest(value.What, Answer.Maybe, Answer.No);
            default:
                if (first.AsSpan().SequenceEqual(last))
                    return Equal(value, first, family) is [var only] ? only : Unknown;
                return PartOf(value, family) is { } part && value.Changes.Count == 0 && first.Length == value.Length && last.Length == value.Length
                    ? new PartTest(part, ValueRanges.Of(value.Length, [(ValueRanges.NumberOf(first), ValueRanges.NumberOf(last))]))
                    : Unknown;
        }
    }

    /// <summary>The opposite. A value that was not loaded meets neither.</summary>
    public static RuleTest Not(RuleTest test) => test switch
    {
        PartTest part => part with { Values = part.Values.Complement() },
        InterfaceTest other => other with { IsNegated = !other.IsNegated },
        FamilyTest family => family with { IsNegated = !family.IsNegated },
        StateTest state => new StateTest(StatesThat(_ => true) & ~state.Accepted),
        NeverTest => Unknown,
        _ when test.DependsOnEntry => new EntryTest(test.OnEntry!, Answer.Maybe, test is EntryTest { Untracked: Answer.No } ? Answer.No : Answer.Maybe),
        _ => Unknown,
    };

    /// <summary>The part of a packet that a value is. Null for anything else.</summary>
    public static PacketPart? PartOf(Loaded value, IPFamily? family) => value.Kind switch
    {
        LoadedKind.Protocol when value.Length == 1 => PacketPart.Protocol,
        LoadedKind.Header => PartsOf(value.Base, family).Where(field => field.Start == value.Offset && field.Length == value.Length).Select(field => (PacketPart?)field.Part).FirstOrDefault(),
        _ => null,
    };

    /// <summary>nft joins adjacent fields into one comparison, and compares only the bytes of a prefix.</summary>
    private static List<RuleTest> Equal(Loaded value, byte[] bytes, IPFamily? family)
    {
        if (value.Undo(bytes) is not var (wanted, mask))
            return [Unknown];
        switch (value.Kind)
        {
            case LoadedKind.Family when wanted is [var number] && mask is [0xff]:
                return [number switch
                {
                    (byte)NetfilterProtocol.Ipv4 => new FamilyTest(IPFamily.IPv4, IsNegated: false),
                    (byte)NetfilterProtocol.Ipv6 => new FamilyTest(IPFamily.IPv6, IsNegated: false),
                    _ => new NeverTest(),
                }];
            case LoadedKind.EthernetType when wanted.Length == 2 && mask is [0xff, 0xff]:
                return [BinaryPrimitives.ReadUInt16BigEndian(wanted) switch
                {
                    0x0800 => new FamilyTest(IPFamily.IPv4, IsNegated: false),
                    0x86dd => new FamilyTest(IPFamily.IPv6, IsNegated: false),
                    _ => new NeverTest(),
                }];
            case LoadedKind.InputInterface or LoadedKind.OutputInterface when value.Changes.Count == 0 && (value.Length == sizeof(uint) ? wanted.Length == sizeof(uint) : wanted.Contains((byte)0)):
                // The index of the loopback interface is 1 in each network namespace. A name without its end is a pattern.
                bool isLoopback = value.Length == sizeof(uint) ? MemoryMarshal.Read<uint>(wanted) == 1 : wanted.AsSpan().StartsWith("lo\0"u8);
                return [new InterfaceTest(value.Kind == LoadedKind.InputInterface, isLoopback, IsNegated: false, value.Length == sizeof(uint) ? null : XExtension.TextOf(wanted))];
            case LoadedKind.Protocol:
                return [Masked(PacketPart.Protocol, 1, wanted, mask)];
            case LoadedKind.Header:
                List<RuleTest> tests = [];
                int covered = 0;
                foreach ((PacketPart part, int start, int length) in PartsOf(value.Base, family))
                {
                    int from = start - value.Offset, to = Math.Min(from + length, wanted.Length);
                    if (from < 0 || from >= wanted.Length)
                        continue;
                    tests.Add(Masked(part, length, wanted[from..to], mask[from..to]));
                    covered += to - from;
                }

                if (covered < wanted.Length || tests.Count == 0)
                    tests.Add(Unknown);
                return tests;
            default:
                return [Unknown];
        }
    }

    /// <summary>A part has given first bytes, of which only the bits of a prefix count.</summary>
    private static RuleTest Masked(PacketPart part, int length, byte[] wanted, byte[] mask)
    {
        byte[] whole = new byte[length], wholeMask = new byte[length];
        wanted.CopyTo(whole, 0);
        mask.CopyTo(wholeMask, 0);
        UInt128 number = ValueRanges.NumberOf(whole), bits = ValueRanges.NumberOf(wholeMask);
        UInt128 others = ~bits & ValueRanges.All(length).Ranges[0].Last;
        if ((others & (others + 1)) != 0)
            return Unknown;

        // Bits that the mask removes can't be set.
        return (number & others) != 0 ? new NeverTest() : new PartTest(part, ValueRanges.Of(length, [(number, number | others)]));
    }

    private static RuleTest Between(Loaded value, byte[] bytes, CompareOperator comparison, IPFamily? family)
    {
        if (PartOf(value, family) is not { } part || value.Changes.Count > 0 || bytes.Length != value.Length)
            return Unknown;
        UInt128 number = ValueRanges.NumberOf(bytes), highest = ValueRanges.All(bytes.Length).Ranges[0].Last;
        (UInt128 First, UInt128 Last)? range = comparison switch
        {
            CompareOperator.Lt => number == 0 ? null : (0, number - 1),
            CompareOperator.Lte => (0, number),
            CompareOperator.Gt => number == highest ? null : (number + 1, highest),
            _ => (number, highest),
        };
        return range is { } some ? new PartTest(part, ValueRanges.Of(bytes.Length, [some])) : new NeverTest();
    }

    private static bool Matches(byte[] value, CompareOperator comparison, byte[] bytes)
    {
        int order = value.AsSpan(0, Math.Min(value.Length, bytes.Length)).SequenceCompareTo(bytes);
        return comparison switch
        {
            CompareOperator.Eq => order == 0,
            CompareOperator.Neq => order != 0,
            CompareOperator.Lt => order < 0,
            CompareOperator.Lte => order <= 0,
            CompareOperator.Gt => order > 0,
            _ => order >= 0,
        };
    }

    private static PacketStates StatesThat(Func<PacketStates, bool> matches) =>
        States.Where(matches).Aggregate(PacketStates.None, (all, state) => all | state);

    /// <summary>The places of the parts in the headers (RFC 791, RFC 8200). All protocols with ports have them at the same offsets.</summary>
    private static (PacketPart Part, int Start, int Length)[] PartsOf(PayloadBase header, IPFamily? family) => (header, family) switch
    {
        (PayloadBase.TransportHeader, _) => [(PacketPart.SourcePort, 0, 2), (PacketPart.DestinationPort, 2, 2)],
        (PayloadBase.NetworkHeader, IPFamily.IPv4) => [(PacketPart.Protocol, 9, 1), (PacketPart.Source, 12, 4), (PacketPart.Destination, 16, 4)],
        (PayloadBase.NetworkHeader, IPFamily.IPv6) => [(PacketPart.Source, 8, 16), (PacketPart.Destination, 24, 16)],
        _ => [],
    };
}
