using System.Globalization;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>A connection mark and the mask of its relevant bits (CTA_MARK, CTA_MARK_MASK).</summary>
public readonly record struct MaskedMark
{
    /// <summary>Creates a mark with an optional mask.</summary>
    /// <param name="value">The mark; bits outside the mask must be 0.</param>
    /// <param name="mask">The relevant bits.</param>
    /// <exception cref="FormatException">The value has bits outside the mask.</exception>
    public MaskedMark(uint value, uint mask = uint.MaxValue)
    {
        if ((value & ~mask) != 0)
            throw new FormatException($"The mark 0x{value:x} has bits outside its mask 0x{mask:x}, so that it could never match.");
        (Value, Mask) = (value, mask);
    }

    /// <summary>The mark.</summary>
    public uint Value { get; }

    /// <summary>The relevant bits.</summary>
    public uint Mask { get; }

    /// <summary>Parses <c>7</c>, <c>0x100</c> or <c>0x100/0xff00</c>.</summary>
    /// <exception cref="FormatException">The text is none of these.</exception>
    public static MaskedMark Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split('/');
        uint mask = uint.MaxValue;
        if (parts.Length > 2 || !TryParseNumber(parts[0], out uint value) || (parts.Length == 2 && !TryParseNumber(parts[1], out mask)))
        {
            throw new FormatException(
                $"'{text}' is not a mark. Write a number from 0 to 4294967295 (0xffffffff), alone or with a mask, such as 7, 0x100, 0x100/0xff00.");
        }

        return new MaskedMark(value, mask);
    }

    /// <summary>True if the masked bits of the mark equal the value.</summary>
    internal bool Matches(uint mark) => (mark & Mask) == Value;

    /// <summary>The mark with the masked bits replaced by the value.</summary>
    internal uint ApplyTo(uint mark) => (mark & ~Mask) | Value;

    /// <summary>The mark as text.</summary>
    public override string ToString() => Mask == uint.MaxValue ? $"0x{Value:x}" : $"0x{Value:x}/0x{Mask:x}";

    private static bool TryParseNumber(string text, out uint number)
    {
        ReadOnlySpan<char> digits = text.AsSpan().Trim();
        return digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? uint.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
            : uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
