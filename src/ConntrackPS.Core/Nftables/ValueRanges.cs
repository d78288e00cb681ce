using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Nftables;

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

    /// <summary>Every number of a length.</summary>
    public static ValueRanges All(int length) => new(length, [(0, Highest(length))]);

    /// <summary>The numbers of ranges that may touch or overlap.</summary>
    public static ValueRanges Of(int length, IEnumerable<(UInt128 First, UInt128 Last)> ranges) => Merge(length, ranges);

    /// <summary>The number in bytes of a packet.</summary>
    public static UInt128 NumberOf(ReadOnlySpan<byte> bytes)
    {
        UInt128 number = 0;
        foreach (byte part in bytes)
            number = number << 8 | part;
        return number;
    }

    /// <summary>True if no number is in it.</summary>
    public bool IsEmpty => Ranges.Count == 0;

    /// <summary>The numbers that are in both.</summary>
    public ValueRanges Intersect(ValueRanges other)
    {
        List<(UInt128 First, UInt128 Last)> both = [];
        for (int i = 0, j = 0; i < Ranges.Count && j < other.Ranges.Count;)
        {
            UInt128 first = UInt128.Max(Ranges[i].First, other.Ranges[j].First), last = UInt128.Min(Ranges[i].Last, other.Ranges[j].Last);
            if (first <= last)
                both.Add((first, last));
            if (Ranges[i].Last < other.Ranges[j].Last)
                i++;
            else
                j++;
        }

        return new ValueRanges(Length, both);
    }

    /// <summary>The numbers that are not in it.</summary>
    public ValueRanges Complement()
    {
        List<(UInt128 First, UInt128 Last)> others = [];
        UInt128? next = 0;
        foreach ((UInt128 first, UInt128 last) in Ranges)
        {
            if (first > next)
                others.Add((next.Value, first - 1));
            next = After(last);
        }

        if (next is { } rest)
            others.Add((rest, Highest(Length)));
        return new ValueRanges(Length, others);
    }

    /// <summary>True if all numbers of the other are in it.</summary>
    public bool Contains(ValueRanges other) => Intersect(other).Equals(other);

    /// <summary>The values in the language of nft(8): <c>10.0.0.0/24, 192.0.2.1-192.0.2.3</c>.</summary>
    public string ToNft() => string.Join(", ", Ranges.Select(range => range.First == range.Last ? Text(range.First)
        : PrefixLength(range.First, range.Last) is { } length ? string.Create(CultureInfo.InvariantCulture, $"{Text(range.First)}/{length}")
        : $"{Text(range.First)}-{Text(range.Last)}"));

    /// <summary>True if a range has the number.</summary>
    public bool Contains(UInt128 number) => Ranges.Any(range => range.First <= number && number <= range.Last);

    /// <summary>The numbers as the fewest prefixes of addresses.</summary>
    public IEnumerable<AddressPrefix> ToPrefixes(IPFamily family)
    {
        foreach ((UInt128 start, UInt128 last) in Ranges)
        {
            for (UInt128? first = start; first is { } next && next <= last;)
            {
                // The longest run of host bits that begins here and does not pass the end.
                UInt128 host = 0;
                while (host != Highest(Length) && (host << 1 | 1) is var more && (next & more) == 0 && next + more <= last && next + more >= next)
                    host = more;
                yield return AddressPrefix.Of(
                    new HostAddress(family, new AddressBits((ulong)(next >> 64), (ulong)next)), 8 * Length - (int)UInt128.PopCount(host));
                first = After(next + host);
            }
        }
    }

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
    public override int GetHashCode() => HashCode.Combine(Length, Ranges.Count, Ranges.Count == 0 ? default : Ranges[0]);

    /// <summary>The length of the prefix that is a range of addresses. Null if none is.</summary>
    private int? PrefixLength(UInt128 first, UInt128 last)
    {
        UInt128 host = first ^ last;
        bool isPrefix = Length >= 4 && (host & (host + 1)) == 0 && (first & host) == 0;
        return isPrefix ? 8 * Length - (int)UInt128.PopCount(host) : null;
    }

    /// <summary>Addresses as addresses, all other values as numbers.</summary>
    private string Text(UInt128 number) => Length switch
    {
        16 => new AddressBits((ulong)(number >> 64), (ulong)number).ToString(IPFamily.IPv6),
        4 => new AddressBits(0, (ulong)number).ToString(IPFamily.IPv4),
        _ => number.ToString(CultureInfo.InvariantCulture),
    };

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
