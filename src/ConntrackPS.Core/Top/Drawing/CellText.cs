using System.Globalization;
using System.Text;

namespace ConntrackPS.Top.Drawing;

/// <summary>Computes the terminal columns of a text, and fits a text to a width.</summary>
/// <remarks>Unicode Standard Annex 11: East Asian wide characters use two columns, combining characters none.</remarks>
internal static class TextWidth
{
    // First and last code point of the wide blocks. All other characters are narrow.
    private static readonly (int First, int Last)[] Wide =
    [
        (0x1100, 0x115f), (0x2329, 0x232a), (0x2e80, 0x303e), (0x3041, 0xa4cf), (0xa960, 0xa97f), (0xac00, 0xd7a3),
        (0xf900, 0xfaff), (0xfe30, 0xfe6f), (0xff00, 0xff60), (0xffe0, 0xffe6), (0x1f300, 0x1f64f), (0x1f680, 0x1f6ff),
        (0x1f900, 0x1f9ff), (0x20000, 0x3fffd),
    ];

    /// <summary>The number of columns of a text.</summary>
    public static int Of(string text)
    {
        if (Ascii.IsValid(text))
            return text.Length;
        int width = 0;
        foreach (Rune rune in text.EnumerateRunes())
            width += Of(rune);
        return width;
    }

    /// <summary>Fits a text to exactly this number of columns: padded with spaces, or truncated with a sign at the end.</summary>
    public static string Fit(string text, int width, bool alignRight = false, string cutSign = "…")
    {
        int present = Of(text);
        if (present > width)
            return Cut(text, width, cutSign);
        string space = new(' ', width - present);
        return alignRight ? space + text : text + space;
    }

    /// <summary>Removes characters that move the terminal's cursor or change its state. Names come from name servers that others
    /// run.</summary>
    public static string Printable(string text)
    {
        if (!text.Any(IsControl))
            return text;
        return string.Concat(text.Select(letter => IsControl(letter) ? '?' : letter));
    }

    private static string Cut(string text, int width, string cutSign)
    {
        int room = width - cutSign.Length;
        if (room < 0)
            return new string(' ', width);
        StringBuilder result = new();
        int used = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (used + Of(rune) > room)
                break;
            used += Of(rune);
            result.Append(rune.ToString());
        }

        return result.Append(cutSign).Append(' ', room - used).ToString();
    }

    private static bool IsControl(char letter) =>
        char.IsControl(letter) || char.GetUnicodeCategory(letter) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static int Of(Rune rune)
    {
        if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format)
            return 0;
        foreach ((int first, int last) in Wide)
        {
            if (rune.Value >= first && rune.Value <= last)
                return 2;
        }

        return 1;
    }
}

/// <summary>Formats amounts to fit a column.</summary>
internal static class Amount
{
    private const string Units = " kMGTPE";

    /// <summary>A count in full: <c>1,048,576</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>At most five characters, in powers of 1000: <c>999</c>, <c>1.2k</c>, <c>34M</c>.</summary>
    public static string Short(double amount)
    {
        (string number, string prefix) = Scale(amount);
        return number + prefix;
    }

    /// <summary>An amount with its unit: <c>20.0 Mbit/s</c>.</summary>
    public static string Of(double amount, string unit)
    {
        (string number, string prefix) = Scale(amount);
        return $"{number} {prefix}{unit}";
    }

    private static (string Number, string Prefix) Scale(double amount)
    {
        int unit = 0;

        // 999.5 would be rounded to 1000, which has one character too many.
        while (amount >= 999.5 && unit < Units.Length - 1)
        {
            amount /= 1000;
            unit++;
        }

        string format = unit == 0 || amount >= 99.95 ? "0" : "0.0";
        return (amount.ToString(format, CultureInfo.InvariantCulture), unit == 0 ? "" : $"{Units[unit]}");
    }

    /// <summary>Seconds as <c>1:59:59</c>, or as <c>4d 23h</c> from four days.</summary>
    public static string Time(uint seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(seconds);
        return time.TotalHours >= 96
            ? string.Create(CultureInfo.InvariantCulture, $"{time.Days}d {time.Hours}h")
            : string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}");
    }
}
