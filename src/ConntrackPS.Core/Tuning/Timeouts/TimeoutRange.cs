using System.Globalization;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The timeouts that every kernel keeps as they are.</summary>
/// <remarks>The kernel counts in ticks of up to a thousandth of a second, in 32 bits. By netlink a longer timeout wraps
/// without a word: 20,000,000 s become 2,820,130 s.</remarks>
internal static class TimeoutRange
{
    /// <summary>The shortest, in seconds: 0 would end connections at once.</summary>
    public const uint Minimum = 1;

    /// <summary>The longest, in seconds: INT_MAX ticks at 1,000 Hz, nearly 25 days.</summary>
    public const uint Maximum = int.MaxValue / 1000;

    /// <summary>A span that the kernel told, as seconds: 0 too, where another program has set that. What it had before may be
    /// given back to it.</summary>
    /// <exception cref="ValueRangeException">It is longer; the message names the range.</exception>
    internal static uint CheckTold(TimeSpan span) => span == TimeSpan.Zero ? 0 : Check(span);

    /// <summary>A span as seconds.</summary>
    /// <exception cref="ValueRangeException">It is shorter or longer; the message names the range.</exception>
    public static uint Check(TimeSpan span) =>
        span.TotalSeconds is >= Minimum and <= Maximum
            ? (uint)span.TotalSeconds
            : throw new ValueRangeException(string.Create(
                CultureInfo.InvariantCulture,
                $"A timeout of {span.TotalSeconds} seconds is out of range: {Minimum} to {Maximum} seconds (24 days 20 hours) are possible."));
}
