using System.Buffers;
using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Reads and writes addresses as inet_ntop(3) does, which conntrack uses, and as the kernel does in /proc.</summary>
/// <remarks>The kernel's %pI6 writes all eight groups with leading zeros. inet_ntop shortens as RFC 5952 says. It writes the last 32 bits
/// with dots only for ::a.b.c.d and ::ffff:a.b.c.d.</remarks>
internal static class AddressText
{
    private const int GroupCount = 8;

    private static readonly SearchValues<char> HidingSigns = SearchValues.Create("*#?_<[\u2588\u2591\u2592\u2593\u25A0\u25CF\u2022");

    public static bool TryParse(ReadOnlySpan<char> text, out IPFamily family, out AddressBits address)
    {
        if (TryParseIPv4(text, out uint bits))
        {
            (family, address) = (IPFamily.IPv4, new AddressBits(0, bits));
            return true;
        }

        (family, address) = (IPFamily.Unspecified, default);
        return text.Contains(':') && !text.Contains('/') && AddressBits.TryParse(text, out family, out address);
    }

    /// <summary>True for text that replaces a hidden address: <c>x.x.x.x</c>, <c>xxx.xxx.xxx.xxx</c>, <c>10.0.x.x</c>, <c>A.B.C.D</c>,
    /// <c>n.n.n.n:2194</c>, <c>***</c>, <c>[redacted]</c>, <c>WAN_IP</c>. False for a damaged address.</summary>
    /// <param name="text">The text.</param>
    /// <param name="port">The digits after the address; empty if there are none.</param>
    public static bool IsMasked(ReadOnlySpan<char> text, out ReadOnlySpan<char> port)
    {
        int colon = text.IndexOf(':');
        bool hasPort = colon > 0 && text.LastIndexOf(':') == colon && colon + 1 < text.Length && !text[(colon + 1)..].ContainsAnyExceptInRange('0', '9');
        port = hasPort ? text[(colon + 1)..] : default;
        ReadOnlySpan<char> address = hasPort ? text[..colon] : text;
        if (address.IsEmpty || address.ContainsAny('=', '/', '%'))
            return false;

        // Half a word in brackets: the other half may be anything.
        if ((address[0] == '<' && address[^1] != '>') || (address[0] == '[' && address[^1] != ']'))
            return false;

        // Hexadecimal letters hide an address only between dots, as in a.b.c.d.
        bool isDotted = address.Count('.') == 3;
        foreach (char letter in address)
        {
            if (isDotted ? char.IsLetter(letter) : char.IsLetter(letter) && !char.IsAsciiHexDigit(letter))
                return true;
        }

        return address.ContainsAny(HidingSigns);
    }

    /// <summary>True for text that replaces a hidden number: letters or signs, without a digit.</summary>
    public static bool IsMaskedNumber(ReadOnlySpan<char> text) => !text.IsEmpty && !text.ContainsAnyInRange('0', '9') && !text.Contains('=');

    public static void Append(StringBuilder text, IPFamily family, AddressBits address, bool isExpanded = false)
    {
        if (family == IPFamily.IPv6)
            AppendIPv6(text, address, isExpanded);
        else
            AppendIPv4(text, (uint)address.Low);
    }

    /// <summary>Appends a number in lower-case hexadecimal, with at least this number of digits: 1 or 4.</summary>
    public static void AppendHex(this StringBuilder text, ushort number, int digits = 1)
    {
        if (digits == 4)
            text.Append(CultureInfo.InvariantCulture, $"{number:x4}");
        else
            text.Append(CultureInfo.InvariantCulture, $"{number:x}");
    }

    private static bool TryParseIPv4(ReadOnlySpan<char> text, out uint bits)
    {
        bits = 0;
        uint part = 0;
        int dots = 0, digits = 0;
        foreach (char letter in text)
        {
            if (letter == '.')
            {
                if (digits == 0 || ++dots > 3)
                    return false;
                (bits, part, digits) = (bits << 8 | part, 0, 0);
                continue;
            }

            uint digit = (uint)(letter - '0');

            // Some programs read a leading zero as octal, so the value is ambiguous.
            if (digit > 9 || (digits > 0 && part == 0) || (part = part * 10 + digit) > byte.MaxValue)
                return false;
            digits++;
        }

        bits = bits << 8 | part;
        return dots == 3 && digits > 0;
    }

    private static void AppendIPv4(StringBuilder text, uint bits)
    {
        text.Append(bits >> 24);
        text.Append('.');
        text.Append(bits >> 16 & byte.MaxValue);
        text.Append('.');
        text.Append(bits >> 8 & byte.MaxValue);
        text.Append('.');
        text.Append(bits & byte.MaxValue);
    }

    private static void AppendIPv6(StringBuilder text, AddressBits address, bool isExpanded)
    {
        (int gap, int gapEnd) = isExpanded ? (-1, -1) : LongestZeros(address);
        bool endsInIPv4 = gap == 0 && (gapEnd == 6 || (gapEnd == 5 && Group(address, 5) == ushort.MaxValue));
        for (int group = 0; group < GroupCount; group++)
        {
            if (group == gap)
            {
                text.Append("::");
                group = gapEnd - 1;
                continue;
            }

            if (group > 0 && group != gapEnd)
                text.Append(':');
            if (endsInIPv4 && group == 6)
            {
                AppendIPv4(text, (uint)address.Low);
                return;
            }

            text.AppendHex(Group(address, group), isExpanded ? 4 : 1);
        }
    }

    /// <summary>The start of the longest run of two or more zero groups; the first one if several are equally long.</summary>
    private static (int From, int To) LongestZeros(AddressBits address)
    {
        (int From, int To) best = (-1, -1);
        for (int from = 0; from < GroupCount; from++)
        {
            int to = from;
            while (to < GroupCount && Group(address, to) == 0)
                to++;
            if (to - from >= 2 && to - from > best.To - best.From)
                best = (from, to);
            from = to;
        }

        return best;
    }

    private static ushort Group(AddressBits address, int index) =>
        (ushort)((index < 4 ? address.High : address.Low) >> (48 - 16 * (index & 3)));
}
