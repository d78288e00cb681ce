using System.Globalization;
using System.Text;

namespace ConntrackPS.Text;

/// <summary>Times as conntrack prints them: ctime(3) in local time, and seconds since 1970.</summary>
internal static class ClockText
{
    private const string DateAndTime = "ddd MMM d HH:mm:ss yyyy";
    private const string Days = "ddd MMM";

    /// <summary>Reads <c>Fri Nov 20 07:40:00 2026</c>. Days below 10 have a second space before them.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out DateTime time) =>
        DateTime.TryParseExact(
            text, DateAndTime, CultureInfo.InvariantCulture, DateTimeStyles.AllowInnerWhite | DateTimeStyles.AssumeLocal, out time);

    /// <summary>Reads <c>1795160420.109550</c>: seconds and microseconds, each padded to its width.</summary>
    /// <remarks>Older versions of conntrack print %-8ld.%-6ld: <c>1415968843.2363  </c> has 2,363 microseconds. Newer versions print
    /// leading zeros. Fewer than six digits without blanks are ambiguous, so they are not read as a time.</remarks>
    public static bool TryParseEpoch(ReadOnlySpan<char> text, out DateTime time)
    {
        const int Width = 6;
        time = default;
        int dot = text.IndexOf('.');
        if (dot < 0
            || text.Length - dot != Width + 1
            || !ulong.TryParse(text[..dot].TrimEnd(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong seconds)
            || !uint.TryParse(text[(dot + 1)..].TrimEnd(), NumberStyles.None, CultureInfo.InvariantCulture, out uint microseconds)
            || seconds > int.MaxValue * 8UL)
            return false;
        time = DateTime.UnixEpoch.AddTicks((long)seconds * TimeSpan.TicksPerSecond + microseconds * TimeSpan.TicksPerMicrosecond).ToLocalTime();
        return true;
    }

    public static void Append(StringBuilder text, ulong nanoseconds)
    {
        DateTime time = DateTime.UnixEpoch.AddSeconds(nanoseconds / 1_000_000_000).ToLocalTime();
        text.Append(time.ToString(Days, CultureInfo.InvariantCulture));
        text.Append(time.Day < 10 ? "  " : " ");
        text.Append(time.ToString("d HH:mm:ss yyyy", CultureInfo.InvariantCulture));
    }

    /// <summary>Nanoseconds since 1970, as the kernel counts. A time of kind Unspecified is local.</summary>
    public static ulong ToNanoseconds(DateTime time) =>
        (ulong)Math.Clamp((time.ToUniversalTime() - DateTime.UnixEpoch).Ticks, 0, (long)(ulong.MaxValue / 100)) * 100;
}
