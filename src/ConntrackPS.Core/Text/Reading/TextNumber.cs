using System.Globalization;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads numbers: digits alone, without a sign, blanks or separators.</summary>
/// <remarks>A line has a dozen of them, and the runtime's own reading asks for a culture each time.</remarks>
internal static class TextNumber
{
    private const string Hexadecimal = "0x";

    public static bool TryRead(ReadOnlySpan<char> text, out ulong number)
    {
        const int SafeLength = 19;
        if (text.Length > SafeLength)
            return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        number = 0;
        foreach (char letter in text)
        {
            uint digit = (uint)(letter - '0');
            if (digit > 9)
            {
                number = 0;
                return false;
            }

            number = number * 10 + digit;
        }

        return text.Length > 0;
    }

    public static bool TryRead(ReadOnlySpan<char> text, out uint number) => TryRead(text, uint.MaxValue, out number);

    public static bool TryRead(ReadOnlySpan<char> text, out ushort number)
    {
        bool isRead = TryRead(text, ushort.MaxValue, out uint value);
        number = (ushort)value;
        return isRead;
    }

    public static bool TryRead(ReadOnlySpan<char> text, out byte number)
    {
        bool isRead = TryRead(text, byte.MaxValue, out uint value);
        number = (byte)value;
        return isRead;
    }

    /// <summary>Reads a decimal number, or a hexadecimal one after 0x, as strtoul(3) does.</summary>
    public static bool TryReadAny(ReadOnlySpan<char> text, out uint number) => text.StartsWith(Hexadecimal)
        ? uint.TryParse(text[Hexadecimal.Length..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : TryRead(text, out number);

    /// <summary>Reads a key of GRE: a hexadecimal number after 0x.</summary>
    public static bool TryReadKey(ReadOnlySpan<char> text, out ushort key)
    {
        key = 0;
        return text.StartsWith(Hexadecimal)
            && ushort.TryParse(text[Hexadecimal.Length..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out key);
    }

    private static bool TryRead(ReadOnlySpan<char> text, uint maximum, out uint number)
    {
        bool isRead = TryRead(text, out ulong value) && value <= maximum;
        number = isRead ? (uint)value : 0;
        return isRead;
    }
}
