using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>Time spans as users write them: <c>90</c> (seconds), <c>90s</c>, <c>5m</c>, <c>2h4m</c>, <c>1d</c>. Also the form of <see
/// cref="TimeSpan"/> in files: <c>00:05:00</c>, <c>1.02:03:04</c>.</summary>
internal static class Duration
{
    /// <summary>The form that <see cref="Parse"/> accepts, for messages.</summary>
    public const string AcceptedForm = "seconds such as 600, or a span such as 90s, 5m, 2h4m, 1d, 00:05:00";

    /// <summary>The longest possible span, in seconds, for callers that check a range of their own.</summary>
    public const long Longest = 922_337_203_685;

    /// <summary>Parses a span.</summary>
    /// <exception cref="FormatException">The text is not a span, or out of range. The message says which.</exception>
    /// <param name="text">The span.</param>
    /// <param name="minimum">The minimum, in seconds.</param>
    /// <param name="maximum">The maximum, in seconds.</param>
    /// <param name="takesFractions">True to accept fractions of a second. The kernel's timeouts have none.</param>
    public static TimeSpan Parse(string text, double minimum = 0, long maximum = int.MaxValue, bool takesFractions = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        string trimmed = text.Trim();
        if (TryParseClock(trimmed, out TimeSpan span) || (takesFractions && TryParseFraction(trimmed, out span)))
            return Check(span, text, minimum, maximum, takesFractions);
        if (!TryParseSeconds(trimmed, out long seconds))
            throw new FormatException($"'{text}' is not a span of time. Write {AcceptedForm}.");
        seconds = maximum == Longest ? Math.Min(seconds, Longest) : seconds;
        return seconds >= minimum && seconds <= maximum ? TimeSpan.FromSeconds(seconds) : throw OutOfRange(text, seconds < minimum, minimum, maximum);
    }

    /// <summary>Returns the span if it is valid.</summary>
    /// <exception cref="FormatException">It is out of range, or has a fraction of a second where none is accepted.</exception>
    public static TimeSpan Check(TimeSpan span, string text, double minimum, long maximum, bool takesFractions)
    {
        if (!takesFractions && span.Ticks % TimeSpan.TicksPerSecond != 0)
            throw new FormatException($"'{text}' has parts of a second, which can't be kept. Write {AcceptedForm}.");
        return span >= TimeSpan.Zero && span.TotalSeconds >= minimum && span.TotalSeconds <= maximum
            ? span
            : throw OutOfRange(text, span.TotalSeconds < minimum, minimum, maximum);
    }

    /// <summary>A number of seconds, and for long ones also the days.</summary>
    public static string Describe(double seconds) => seconds == 1 ? "1 second" : seconds < 86400
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds} seconds")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds} seconds ({(long)(seconds / 86400)} days)");

    private static FormatException OutOfRange(string text, bool isShort, double minimum, long maximum) => new(
        $"'{text}' is too {(isShort ? "short" : "long")}. Write {AcceptedForm}, from {Describe(minimum)} to {Describe(maximum)}.");

    /// <summary>Requires hours, minutes and seconds, because 5:00 could mean five hours or five minutes.</summary>
    private static bool TryParseClock(string text, out TimeSpan span)
    {
        span = default;
        return text.Count(letter => letter == ':') == 2 && char.IsAsciiDigit(text[0])
            && TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out span);
    }

    /// <summary>Parses seconds with a decimal point: 0.2, 1.5s.</summary>
    private static bool TryParseFraction(string text, out TimeSpan span)
    {
        ReadOnlySpan<char> digits = text.AsSpan().TrimEnd("sS");
        bool isNumber = decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds)
            && digits.Contains('.') && digits.Length >= text.Length - 1 && seconds <= int.MaxValue;
        span = isNumber ? TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond)) : default;
        return isNumber;
    }

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

            // Each unit once, from large to small: "4m2h" is more likely a typing error than a span.
            if (unit == 0 || unit >= previousUnit)
                return false;
            _ = TryParseNumber(text[..digits], out long number);
            seconds += number * unit;
            previousUnit = unit;
            text = text[(digits + 1)..];
        }

        return previousUnit != long.MaxValue;
    }

    /// <summary>Parses digits. If they do not fit, the number is very large anyway.</summary>
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
