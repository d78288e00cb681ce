namespace ConntrackPS.Conntrack;

/// <summary>One IPv4 or IPv6 address.</summary>
/// <param name="Family">Its family.</param>
/// <param name="Bits">Its bits.</param>
public readonly record struct HostAddress(IPFamily Family, AddressBits Bits)
{
    /// <summary>Reads <c>192.0.2.1</c> or <c>2001:db8::1</c>.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static HostAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return AddressBits.TryParse(text.Trim(), out IPFamily family, out AddressBits bits)
            ? new HostAddress(family, bits)
            : throw new FormatException($"'{text}' is not an address. Write one IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1.");
    }

    /// <summary>The IPv4 address that an IPv4-mapped one stands for, such as 192.0.2.1 for <c>::ffff:192.0.2.1</c> (RFC 4291,
    /// 2.5.5.2); else the address itself. Programs with IPv6 sockets write the mapped form; packets, and so the table, have
    /// the IPv4 address.</summary>
    public HostAddress Unmapped => IsIPv4Mapped ? new HostAddress(IPFamily.IPv4, new AddressBits(0, (uint)Bits.Low)) : this;

    /// <summary>True for ::ffff:0:0/96.</summary>
    internal bool IsIPv4Mapped => Family == IPFamily.IPv6 && Bits.High == 0 && Bits.Low >> 32 == 0xffff;

    /// <summary>The address as text.</summary>
    public override string ToString() => Bits.ToString(Family);
}
