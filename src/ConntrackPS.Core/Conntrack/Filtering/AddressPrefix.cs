using System.Globalization;
using System.Numerics;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>An IPv4 or IPv6 address, or all addresses with the same prefix (CIDR, RFC 4632 and RFC 4291).</summary>
public readonly record struct AddressPrefix
{
    /// <summary>The length of ::ffff:0:0/96.</summary>
    private const int MappedLength = 96;

    private readonly AddressBits _mask;

    private AddressPrefix(IPFamily family, AddressBits address, int length)
    {
        (Family, Length, _mask) = (family, length, MaskOf(family, length));
        Address = new AddressBits(address.High & _mask.High, address.Low & _mask.Low);
    }

    /// <summary>The address family.</summary>
    public IPFamily Family { get; }

    /// <summary>The first address.</summary>
    public AddressBits Address { get; }

    /// <summary>The prefix length: 0 to 32, or 0 to 128 for IPv6.</summary>
    public int Length { get; }

    /// <summary>The netmask, as an address of the family.</summary>
    internal AddressBits Mask => Family == IPFamily.IPv6 ? _mask : new AddressBits(0, (uint)_mask.Low);

    /// <summary>True for a single address.</summary>
    internal bool IsSingleAddress => Length == BitsOf(Family);

    /// <summary>The IPv4 prefix of an IPv4-mapped prefix, such as <c>::ffff:192.0.2.0/120</c>. Otherwise the prefix itself. Filters match
    /// the IPv6 addresses; this property is for hints on what the user may have meant.</summary>
    internal AddressPrefix Unmapped =>
        Length >= MappedLength && new HostAddress(Family, Address) is { IsIPv4Mapped: true } mapped
            ? new AddressPrefix(IPFamily.IPv4, mapped.Unmapped.Bits, Length - MappedLength)
            : this;

    /// <summary>The prefix that contains only this address.</summary>
    public static AddressPrefix Of(HostAddress address) => Of(address, BitsOf(address.Family));

    /// <summary>The prefix of a given length that contains an address.</summary>
    /// <param name="address">An address of the prefix.</param>
    /// <param name="length">0 to 32, or 0 to 128 for IPv6.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is out of range.</exception>
    public static AddressPrefix Of(HostAddress address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, BitsOf(address.Family));
        return new AddressPrefix(address.Family, address.Bits, length);
    }

    /// <summary>Parses <c>192.0.2.1</c>, <c>192.0.2.0/24</c>, <c>192.0.2.0/255.255.255.0</c>, <c>2001:db8::1</c>, <c>2001:db8::/32</c> or
    /// <c>2001:db8::/ffff:ffff::</c>.</summary>
    /// <exception cref="FormatException">The text is none of these. The message says what is wrong.</exception>
    public static AddressPrefix Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string trimmed = text.Trim();
        int slash = trimmed.IndexOf('/', StringComparison.Ordinal);
        if (AddressBits.TryParse(slash < 0 ? trimmed : trimmed[..slash], out IPFamily family, out AddressBits address))
        {
            int length = BitsOf(family);
            if (slash < 0 || TryParseLength(trimmed[(slash + 1)..], family, text, out length))
                return new AddressPrefix(family, address, length);
        }

        throw Refuse($"'{text}' is not an address");
    }

    /// <summary>True if the address has this prefix.</summary>
    public bool Contains(IPFamily family, AddressBits address) =>
        family == Family && (address.High & _mask.High) == Address.High && (address.Low & _mask.Low) == Address.Low;

    /// <summary>The prefix as text, without the length for a single address.</summary>
    public override string ToString()
    {
        string address = Address.ToString(Family);
        return IsSingleAddress ? address : string.Create(CultureInfo.InvariantCulture, $"{address}/{Length}");
    }

    private static int BitsOf(IPFamily family) => family == IPFamily.IPv6 ? 128 : 32;

    /// <summary>Parses the text after the slash: a length, or a netmask.</summary>
    private static bool TryParseLength(string text, IPFamily family, string whole, out int length)
    {
        int bits = BitsOf(family);
        if (AddressBits.TryParse(text, out IPFamily maskFamily, out AddressBits mask))
        {
            if (maskFamily != family)
                throw Refuse($"'{whole}' has an address of {family} and a netmask of {maskFamily}");
            length = BitOperations.PopCount(mask.High) + BitOperations.PopCount(mask.Low);
            return new AddressPrefix(family, mask, length).Mask == mask
                ? true
                : throw Refuse($"'{whole}' has the netmask {text}, which is not contiguous: only leading bits can be set, as in {ExampleOf(family)}");
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out length))
            return false;
        return length <= bits ? true : throw Refuse($"'{whole}' has a prefix that is too long: an address of {family} has {bits} bits");
    }

    private static FormatException Refuse(string problem) =>
        new($"{problem}. Write an IPv4 or IPv6 address, or a prefix, such as 192.0.2.1, 192.0.2.0/24, 2001:db8::1, 2001:db8::/32.");

    private static string ExampleOf(IPFamily family) => family == IPFamily.IPv6 ? "ffff:ffff:ffff::" : "255.255.255.0";

    private static AddressBits MaskOf(IPFamily family, int length)
    {
        if (family != IPFamily.IPv6)
            return new AddressBits(ulong.MaxValue, ~0UL << 32 | Upper(length + 32));
        return new AddressBits(Upper(Math.Min(length, 64)), Upper(Math.Max(length - 64, 0)));

        static ulong Upper(int bits) => bits == 0 ? 0 : ulong.MaxValue << (64 - bits);
    }
}
