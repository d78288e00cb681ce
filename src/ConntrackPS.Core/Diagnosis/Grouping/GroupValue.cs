using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>The value of one property of an entry in 17 bytes: a number, an address, or that there is none.</summary>
/// <param name="High">The upper half of an IPv6 address or of labels, else 0.</param>
/// <param name="Low">The number, or the lower half.</param>
/// <param name="Kind">0 where the entry has no such thing; the family of an address; else 1.</param>
internal readonly record struct GroupValue(ulong High, ulong Low, byte Kind) : IComparable<GroupValue>
{
    /// <summary>The entry has no such thing.</summary>
    public static GroupValue Absent => default;

    public bool IsAbsent => Kind == 0;

    public AddressBits Bits => new(High, Low);

    public IPFamily Family => (IPFamily)Kind;

    public static GroupValue Of(ulong? number) => number is { } present ? new GroupValue(0, present, 1) : Absent;

    public static GroupValue Of(IPFamily family, AddressBits address) => new(address.High, address.Low, (byte)family);

    /// <summary>Absent first, then IPv4 before IPv6, then by number.</summary>
    public int CompareTo(GroupValue other)
    {
        int order = Kind.CompareTo(other.Kind);
        return order != 0 ? order : Bits.CompareTo(other.Bits);
    }
}
