using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>Spans of time as people write them: <c>90</c> (seconds), <c>90s</c>, <c>5m</c>, <c>2h4m</c>, <c>1d</c>.</summary>
internal static class Duration
{
    /// <summary>What <see cref="Parse"/> takes, for messages.</summary>
    public const string AcceptedForm = "seconds such as 600, or a span such as 90s, 5m, 2h4m, 1d";

    /// <summary>The longest span that there is, in seconds: for those who have a range of their own, and tell it.</summary>
    public const long Longest = 922_337_203_685;

    /// <summary>Reads a span.</summary>
    /// <exception cref="FormatException">It is none, or out of range; the message says which.</exception>
    /// <param name="text">The span.</param>
    /// <param name="minimum">The shortest that is accepted, in seconds.</param>
    /// <param name="maximum">The longest, in seconds.</param>
    public static TimeSpan Parse(string text, long minimum = 0, long maximum = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!TryParseSeconds(text.Trim(), out long seconds))
            throw new FormatException($"'{text}' is not a span of time. Write {AcceptedForm}.");
        seconds = maximum == Longest ? Math.Min(seconds, Longest) : seconds;
        return seconds >= minimum && seconds <= maximum
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException($"'{text}' is too {(seconds < minimum ? "short" : "long")}. Write {AcceptedForm}, from {Describe(minimum)} to {Describe(maximum)}.");
    }

    /// <summary>A number of seconds, with the days that long ones come to.</summary>
    public static string Describe(long seconds) => seconds == 1 ? "1 second" : seconds < 86400
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds} seconds")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds} seconds ({seconds / 86400} days)");

    private static bool TryParseSeconds(ReadOnlySpan<char> text, out long seconds)
    {
        if (TryParseNumber(text, out seconds))
            return true;
        seconds = 0;
        long previousUnit = long.MaxValue;
        while (text.Length > 0)
        {
            int digits = text.IndexOfAnyExceptInRange('0', '9');
            if (digits < 1)
                return false;
            long unit = char.ToLowerInvariant(text[digits]) switch { 'd' => 86400, 'h' => 3600, 'm' => 60, 's' => 1, _ => 0 };

            // Units from large to small, each once: "4m2h" is more likely a slip than a span.
            if (unit == 0 || unit >= previousUnit)
                return false;
            _ = TryParseNumber(text[..digits], out long number);
            seconds += number * unit;
            previousUnit = unit;
            text = text[(digits + 1)..];
        }

        return previousUnit != long.MaxValue;
    }

    /// <summary>Digits. If they do not fit, the number is very large anyway.</summary>
    private static bool TryParseNumber(ReadOnlySpan<char> text, out long number)
    {
        const long Large = long.MaxValue / 1_000_000;
        number = 0;
        if (text.IsEmpty || text.ContainsAnyExceptInRange('0', '9'))
            return false;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) || number > Large)
            number = Large;
        return true;
    }
}
