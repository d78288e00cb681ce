using System.Globalization;
using System.Text;
using ConntrackPS.Text.Reading;

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

    /// <summary>Reads <c>1795160420.109550</c>, seconds and microseconds, each padded to its width. The time is in UTC.</summary>
    /// <remarks>Older versions of conntrack print %-8ld.%-6ld: <c>1415968843.2363  </c> has 2,363 microseconds, also if a page left one blank
    /// of several. Newer ones put zeros in front. Fewer than six digits without a blank could be either, so they are no time. Other
    /// programs print whole seconds, or up to nanoseconds.</remarks>
    public static bool TryParseEpoch(ReadOnlySpan<char> text, out DateTime time)
    {
        const int Microseconds = 6, Nanoseconds = 9;
        time = default;
        int dot = text.IndexOf('.');
        ReadOnlySpan<char> whole = (dot < 0 ? text : text[..dot]).TrimEnd(), fraction = dot < 0 ? default : text[(dot + 1)..].TrimEnd();
        bool isCount = dot >= 0 && fraction.Length is > 0 and < Microseconds && text.Length > dot + 1 + fraction.Length && text.Length <= dot + 1 + Microseconds;
        if ((dot >= 0 && !isCount && fraction.Length is < Microseconds or > Nanoseconds)
            || (dot < 0 && whole.Length < 9)
            || !TextNumber.TryRead(whole, out ulong seconds)
            || seconds > int.MaxValue * 8UL)
            return false;
        uint number = 0;
        if (!fraction.IsEmpty && !TextNumber.TryRead(fraction, out number))
            return false;
        long ticks = isCount || fraction.IsEmpty ? number * TimeSpan.TicksPerMicrosecond : number * TimeSpan.TicksPerSecond / Power(fraction.Length);
        time = DateTime.UnixEpoch.AddTicks((long)seconds * TimeSpan.TicksPerSecond + ticks);
        return true;
    }

    private static long Power(int digits)
    {
        long power = 1;
        for (int i = 0; i < digits; i++)
            power *= 10;
        return power;
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
