using System.Diagnostics;

namespace ConntrackPS.Linux;

/// <summary>A clock that never jumps: the time since boot, with the id of the boot. The wall clock jumps when a program sets it, and a
/// router without a battery starts in 1970 until it has asked a time server.</summary>
internal static class BootClock
{
    private const string IdFile = "/proc/sys/kernel/random/boot_id";

    private static readonly Lazy<string?> Boot = new(ReadId);

    /// <summary>The id of this boot (random(4)); null if there is none, as on another system.</summary>
    public static string? Id => Boot.Value;

    /// <summary>Seconds since boot (CLOCK_MONOTONIC).</summary>
    public static double Now => SecondsOf(Stopwatch.GetTimestamp());

    /// <summary>A time of <see cref="Stopwatch"/> as seconds since boot.</summary>
    public static double SecondsOf(long timestamp) => (double)timestamp / Stopwatch.Frequency;

    private static string? ReadId()
    {
        try
        {
            return Platform.IsLinux ? File.ReadAllText(IdFile).Trim() : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
