using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace ConntrackPS.Conntrack;

/// <summary>The bits of an IP address. An IPv4 address is in the lowest 32 bits. Text is built on request.</summary>
/// <param name="High">The upper half of an IPv6 address, or 0.</param>
/// <param name="Low">The lower half of an IPv6 address, or an IPv4 address.</param>
public readonly record struct AddressBits(ulong High, ulong Low) : IComparable<AddressBits>
{
    /// <summary>Reads an address of 4 or 16 bytes in network order.</summary>
    internal static AddressBits FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        4 => new AddressBits(0, BinaryPrimitives.ReadUInt32BigEndian(bytes)),
        16 => new AddressBits(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..])),
        _ => throw new Netlink.NetlinkProtocolException($"An IP address of {bytes.Length} bytes."),
    };

    /// <summary>Writes the address in network order.</summary>
    /// <returns>The number of bytes: 4 or 16.</returns>
    internal int CopyTo(IPFamily family, Span<byte> destination)
    {
        if (family == IPFamily.IPv4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)Low);
            return 4;
        }

        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
        return 16;
    }

    /// <summary>The address as text: dotted decimal, or RFC 5952 for IPv6.</summary>
    internal string ToString(IPFamily family)
    {
        if (family == IPFamily.IPv4)
            return string.Create(CultureInfo.InvariantCulture, $"{(byte)(Low >> 24)}.{(byte)(Low >> 16)}.{(byte)(Low >> 8)}.{(byte)Low}");
        Span<byte> bytes = stackalloc byte[16];
        CopyTo(family, bytes);
        return new IPAddress(bytes).ToString();
    }

    /// <summary>Parses an address. A zone index such as <c>%eth0</c> is not accepted.</summary>
    internal static bool TryParse(ReadOnlySpan<char> text, out IPFamily family, out AddressBits address)
    {
        (family, address) = (IPFamily.Unspecified, default);
        bool looksIPv6 = text.Contains(':');
        if (text.ContainsAny("%[]") || !IPAddress.TryParse(text, out IPAddress? parsed))
            return false;

        // IPAddress also accepts "10.1", "0x0a000001", and "010.0.0.1" for 8.0.0.1. Here these are typing errors.
        if (!looksIPv6 && !text.SequenceEqual(parsed.ToString()))
            return false;
        family = looksIPv6 ? IPFamily.IPv6 : IPFamily.IPv4;
        address = FromBytes(parsed.GetAddressBytes());
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(AddressBits other)
    {
        int order = High.CompareTo(other.High);
        return order != 0 ? order : Low.CompareTo(other.Low);
    }

    /// <summary>True if the left address is the lower number.</summary>
    public static bool operator <(AddressBits left, AddressBits right) => left.CompareTo(right) < 0;

    /// <summary>True if the left address is the higher number.</summary>
    public static bool operator >(AddressBits left, AddressBits right) => left.CompareTo(right) > 0;

    /// <summary>True if the left address is the lower number or equal.</summary>
    public static bool operator <=(AddressBits left, AddressBits right) => left.CompareTo(right) <= 0;

    /// <summary>True if the left address is the higher number or equal.</summary>
    public static bool operator >=(AddressBits left, AddressBits right) => left.CompareTo(right) >= 0;
}

/// <summary>One IPv4 or IPv6 address.</summary>
/// <param name="Family">Its family.</param>
/// <param name="Bits">Its bits.</param>
public readonly record struct HostAddress(IPFamily Family, AddressBits Bits)
{
    /// <summary>Parses <c>192.0.2.1</c> or <c>2001:db8::1</c>.</summary>
    /// <exception cref="FormatException">The text is not an address.</exception>
    public static HostAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return AddressBits.TryParse(text.Trim(), out IPFamily family, out AddressBits bits)
            ? new HostAddress(family, bits)
            : throw new FormatException($"'{text}' is not an address. Write one IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1.");
    }

    /// <summary>The IPv4 address of an IPv4-mapped address, such as 192.0.2.1 for <c>::ffff:192.0.2.1</c> (RFC 4291, 2.5.5.2). Otherwise
    /// the address itself. Programs with IPv6 sockets write the mapped form, but packets and the table have the IPv4 address.</summary>
    internal HostAddress Unmapped => IsIPv4Mapped ? new HostAddress(IPFamily.IPv4, new AddressBits(0, (uint)Bits.Low)) : this;

    /// <summary>True for ::ffff:0:0/96.</summary>
    internal bool IsIPv4Mapped => Family == IPFamily.IPv6 && Bits.High == 0 && Bits.Low >> 32 == 0xffff;

    /// <summary>The address as text.</summary>
    public override string ToString() => Bits.ToString(Family);
}

/// <summary>The address family of an entry, with the kernel's numbers (AF_*, sys/socket.h).</summary>
public enum IPFamily : byte
{
    /// <summary>AF_UNSPEC: none, or both.</summary>
    Unspecified = 0,

    /// <summary>AF_INET.</summary>
    IPv4 = 2,

    /// <summary>AF_INET6.</summary>
    IPv6 = 10,
}
