using ConntrackPS.Blocking.Wire;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Rules;

/// <summary>One condition of a rule.</summary>
/// <param name="Stage">The first stage at which it can be checked.</param>
internal abstract record BlockCondition(BlockStage Stage);

/// <summary>A field has one of several values.</summary>
internal sealed record ValueCondition(BlockStage Stage, PacketField Field, ValueRanges Values) : BlockCondition(Stage);

/// <summary>The packet is of an address family.</summary>
internal sealed record FamilyCondition(IPFamily Family) : BlockCondition(BlockStage.Packet)
{
    public void Write(ref MessageWriter writer)
    {
        ExpressionWriter.LoadMeta(ref writer, MetaKey.Nfproto);
        NetfilterProtocol family = Family == IPFamily.IPv6 ? NetfilterProtocol.Ipv6 : NetfilterProtocol.Ipv4;
        ExpressionWriter.Compare(ref writer, CompareOperator.Eq, [(byte)family]);
    }
}

/// <summary>The flow is translated.</summary>
/// <param name="Bits">IPS_SRC_NAT, IPS_DST_NAT, or both if either is sufficient.</param>
internal sealed record TranslationCondition(ConntrackStatus Bits) : BlockCondition(BlockStage.Translated)
{
    public void Write(ref MessageWriter writer)
    {
        ExpressionWriter.LoadCt(ref writer, CtKey.Status, direction: null);
        ExpressionWriter.Mask(ref writer, (uint)Bits);
        ExpressionWriter.Compare(ref writer, CompareOperator.Neq, [0, 0, 0, 0]);
    }
}

/// <summary>Drops packets that match all conditions.</summary>
internal sealed record BlockRule(IReadOnlyList<BlockCondition> Conditions)
{
    /// <summary>The stage at which all its conditions can be checked.</summary>
    public BlockStage Stage => Conditions.Max(condition => condition.Stage);

    /// <summary>Both rules combined. Null if no packet can match both.</summary>
    public BlockRule? And(BlockRule other)
    {
        BlockCondition[] all = [.. Conditions.Union(other.Conditions)];
        return all.OfType<FamilyCondition>().Count() > 1 ? null : new BlockRule([.. all.OrderBy(Cost)]);
    }

    /// <summary>The family first: the other fields are only meaningful for the right family.</summary>
    private static int Cost(BlockCondition condition) => condition switch
    {
        FamilyCondition => 0,
        ValueCondition { Field: ProtocolField } => 1,
        _ => 2,
    };
}

/// <summary>The processing stage that a packet must have reached before a condition can be checked. At each stage, a new entry is not in
/// the table yet: the kernel inserts it at the end of the packet's path, which a dropped packet does not reach.</summary>
internal enum BlockStage
{
    /// <summary>Content of the packet: before connection tracking.</summary>
    Packet,

    /// <summary>Direction of the flow: directly after connection tracking.</summary>
    Tracked,

    /// <summary>Translation of the flow: after NAT.</summary>
    Translated,
}

/// <summary>A base chain of the block's table.</summary>
internal readonly record struct BlockChain(string Name, Hook Hook, HookPriority Priority)
{
    private static readonly BlockChain[] OfPackets =
    [
        new("raw-prerouting", Hook.PreRouting, HookPriority.Raw),
        new("raw-output", Hook.LocalOut, HookPriority.Raw),
    ];

    private static readonly BlockChain[] OfTracked =
    [
        new("tracked-prerouting", Hook.PreRouting, HookPriority.AfterConntrack),
        new("tracked-output", Hook.LocalOut, HookPriority.AfterConntrack),
    ];

    private static readonly BlockChain[] OfTranslated =
    [
        new("translated-input", Hook.LocalIn, HookPriority.AfterNatSrc),
        new("translated-postrouting", Hook.PostRouting, HookPriority.AfterNatSrc),
    ];

    /// <summary>The chains that together see every packet at a stage.</summary>
    public static IReadOnlyList<BlockChain> At(BlockStage stage) => stage switch
    {
        BlockStage.Packet => OfPackets,
        BlockStage.Tracked => OfTracked,
        _ => OfTranslated,
    };
}

/// <summary>A field of a packet, or of its entry, that a rule can check.</summary>
/// <param name="Type">The type of its values.</param>
internal abstract record PacketField(ElementType Type)
{
    /// <summary>Loads the field into the first register.</summary>
    public abstract void Load(ref MessageWriter writer);
}

/// <summary>The layer 4 protocol.</summary>
internal sealed record ProtocolField() : PacketField(ElementType.Protocol)
{
    public override void Load(ref MessageWriter writer) => ExpressionWriter.LoadMeta(ref writer, MetaKey.L4proto);
}

/// <summary>Bytes of a packet header.</summary>
internal sealed record HeaderField(ElementType Type, PayloadBase Header, int Offset) : PacketField(Type)
{
    public override void Load(ref MessageWriter writer) => ExpressionWriter.LoadPayload(ref writer, Header, Offset, Type.Length);

    /// <summary>The source or destination address in the packet (RFC 791, RFC 8200).</summary>
    public static HeaderField Address(IPFamily family, bool isSource) => family == IPFamily.IPv6
        ? new(ElementType.IPv6Address, PayloadBase.NetworkHeader, isSource ? 8 : 24)
        : new(ElementType.IPv4Address, PayloadBase.NetworkHeader, isSource ? 12 : 16);

    /// <summary>The source or destination port in the packet. All protocols with ports have them at the same offset.</summary>
    public static HeaderField Port(bool isSource) =>
        new(ElementType.Service, PayloadBase.TransportHeader, isSource ? 0 : 2);
}

/// <summary>A field of one of the two tuples of the packet's entry.</summary>
internal sealed record TupleField(ElementType Type, CtKey Key, TupleDirection Direction) : PacketField(Type)
{
    public override void Load(ref MessageWriter writer) => ExpressionWriter.LoadCt(ref writer, Key, Direction);

    public static TupleField Address(IPFamily family, TupleDirection direction, bool isSource) => family == IPFamily.IPv6
        ? new(ElementType.IPv6Address, isSource ? CtKey.SrcIp6 : CtKey.DstIp6, direction)
        : new(ElementType.IPv4Address, isSource ? CtKey.SrcIp : CtKey.DstIp, direction);

    /// <summary>A port. For ICMP the id is the source port, and type and code are the destination port. For GRE the key.</summary>
    public static TupleField Port(TupleDirection direction, bool isSource) =>
        new(ElementType.Service, isSource ? CtKey.ProtoSrc : CtKey.ProtoDst, direction);
}

/// <summary>A set of integers as ranges that neither touch nor overlap, as the kernel requires.</summary>
/// <param name="Length">The length of a number in bytes, in the packet.</param>
/// <param name="Ranges">The first and last number of each range, in order.</param>
internal sealed record ValueRanges(int Length, IReadOnlyList<(UInt128 First, UInt128 Last)> Ranges)
{
    public static ValueRanges Of(IPFamily family, IEnumerable<AddressPrefix> prefixes) => Merge(
        family == IPFamily.IPv6 ? 16 : 4,
        prefixes.Where(prefix => prefix.Family == family).Select(prefix =>
        {
            UInt128 first = Number(prefix.Address);
            return (first, first | (~Number(prefix.Mask) & Highest(family == IPFamily.IPv6 ? 16 : 4)));
        }));

    public static ValueRanges Of(IEnumerable<PortRange> ports) =>
        Merge(sizeof(ushort), ports.Select(range => ((UInt128)range.First, (UInt128)range.Last)));

    public static ValueRanges Of(IEnumerable<IPProtocol> protocols) =>
        Merge(sizeof(byte), protocols.Select(protocol => ((UInt128)(byte)protocol, (UInt128)(byte)protocol)));

    /// <summary>A number in network byte order.</summary>
    public byte[] Bytes(UInt128 number)
    {
        byte[] bytes = new byte[Length];
        for (int i = Length - 1; i >= 0; i--, number >>= 8)
            bytes[i] = (byte)number;
        return bytes;
    }

    /// <summary>The number after a range. Null if there is none, which makes the range open.</summary>
    public UInt128? After(UInt128 last) => last == Highest(Length) ? null : last + 1;

    /// <inheritdoc/>
    public bool Equals(ValueRanges? other) => other is not null && Length == other.Length && Ranges.SequenceEqual(other.Ranges);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Length, Ranges.Count, Ranges[0]);

    private static ValueRanges Merge(int length, IEnumerable<(UInt128 First, UInt128 Last)> ranges)
    {
        List<(UInt128 First, UInt128 Last)> merged = [];
        foreach ((UInt128 First, UInt128 Last) range in ranges.Order())
        {
            if (merged.Count > 0 && (merged[^1].Last == Highest(length) || range.First <= merged[^1].Last + 1))
                merged[^1] = (merged[^1].First, UInt128.Max(merged[^1].Last, range.Last));
            else
                merged.Add(range);
        }

        return new ValueRanges(length, merged);
    }

    private static UInt128 Number(AddressBits bits) => new(bits.High, bits.Low);

    private static UInt128 Highest(int length) => UInt128.MaxValue >> (128 - 8 * length);
}
