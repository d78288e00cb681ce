using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

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

/// <summary>Numbers for texts, so that a text takes part in a key as a number does.</summary>
/// <remarks>Helpers, security contexts and namespaces: few texts, and few entries that have one. Safe for use from several
/// threads, since the filters of groups are.</remarks>
internal sealed class TextPool
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<string> _texts = [];

    public GroupValue Of(string? text)
    {
        if (text is null)
            return GroupValue.Absent;
        lock (_texts)
        {
            if (!_numbers.TryGetValue(text, out int number))
            {
                number = _texts.Count;
                _numbers.Add(text, number);
                _texts.Add(text);
            }

            return GroupValue.Of((ulong)number);
        }
    }

    public string TextOf(GroupValue value)
    {
        lock (_texts)
            return _texts[(int)value.Low];
    }
}

/// <summary>What the values of one measurement mean: how much of an address counts, and which text a number stands for.
/// </summary>
internal sealed class GroupContext
{
    private readonly int _prefix;
    private readonly int _prefixIPv6;
    private readonly AddressBits _mask;
    private readonly AddressBits _maskIPv6;

    /// <param name="prefix">Leading bits of IPv4 addresses that count, 0 to 32.</param>
    /// <param name="prefixIPv6">Leading bits of IPv6 addresses that count, 0 to 128.</param>
    public GroupContext(int prefix, int prefixIPv6)
    {
        (_prefix, _prefixIPv6) = (prefix, prefixIPv6);
        _mask = Mask(IPFamily.IPv4, prefix);
        _maskIPv6 = Mask(IPFamily.IPv6, prefixIPv6);
    }

    public TextPool Texts { get; } = new();

    /// <summary>The bits of an address that count.</summary>
    public GroupValue Address(IPFamily family, AddressBits address)
    {
        AddressBits mask = family == IPFamily.IPv6 ? _maskIPv6 : _mask;
        return GroupValue.Of(family, new AddressBits(address.High & mask.High, address.Low & mask.Low));
    }

    /// <summary>The prefix that an address's bits are.</summary>
    public AddressPrefix Prefix(GroupValue address) => AddressPrefix.Of(
        new HostAddress(address.Family, address.Bits), address.Family == IPFamily.IPv6 ? _prefixIPv6 : _prefix);

    private static AddressBits Mask(IPFamily family, int length) =>
        AddressPrefix.Of(new HostAddress(family, new AddressBits(ulong.MaxValue, ulong.MaxValue)), length).Address;
}
