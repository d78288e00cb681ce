using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>Spans of time as people write them: <c>90</c> (seconds), <c>90s</c>, <c>5m</c>, <c>2h4m</c>, <c>1d</c>.</summary>
public static class Duration
{
    /// <summary>What <see cref="Parse"/> takes, for messages.</summary>
    public const string AcceptedForm = "seconds such as 600, or a span such as 90s, 5m, 2h4m, 1d";

    /// <summary>Reads a span.</summary>
    /// <exception cref="FormatException">It is none, or longer than the kernel's longest timeout.</exception>
    public static TimeSpan Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParseSeconds(text.Trim(), out long seconds) && seconds <= int.MaxValue
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException($"'{text}' is not a span of time. Write {AcceptedForm}.");
    }

    private static bool TryParseSeconds(ReadOnlySpan<char> text, out long seconds)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out seconds))
            return true;
        seconds = 0;
        long previousUnit = long.MaxValue;
        while (text.Length > 0)
        {
            int digits = text.IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 10)
                return false;
            long unit = char.ToLowerInvariant(text[digits]) switch { 'd' => 86400, 'h' => 3600, 'm' => 60, 's' => 1, _ => 0 };

            // Units from large to small, each once: "4m2h" is more likely a slip than a span.
            if (unit == 0 || unit >= previousUnit)
                return false;
            seconds += long.Parse(text[..digits], CultureInfo.InvariantCulture) * unit;
            previousUnit = unit;
            text = text[(digits + 1)..];
        }

        return previousUnit != long.MaxValue;
    }
}
