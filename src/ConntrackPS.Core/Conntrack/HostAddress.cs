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

    /// <summary>The address as text.</summary>
    public override string ToString() => Bits.ToString(Family);
}
