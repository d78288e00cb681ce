using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Diagnosis.Grouping;

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
