using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>One record of the kernel's log.</summary>
/// <param name="SinceBoot">When it was written, by the monotonic clock.</param>
/// <param name="Text">Its first line, without level and time.</param>
internal readonly record struct KernelLogRecord(TimeSpan SinceBoot, string Text);

/// <summary>The kernel's log, as /dev/kmsg gives it: what is still in its ring buffer.</summary>
/// <remarks>Documentation/ABI/testing/dev-kmsg: each read gives one record, <c>level,sequence,microseconds,flags;text</c>.
/// Reading needs CAP_SYSLOG where kernel.dmesg_restrict is set.</remarks>
internal static class KernelLog
{
    private const string Device = "/dev/kmsg";

    /// <summary>CONSOLE_EXT_LOG_MAX: a shorter buffer makes reads fail.</summary>
    private const int LongestRecord = 8192;

    /// <summary>The time now, by the clock of the records.</summary>
    public static TimeSpan Now => TimeSpan.FromSeconds((double)Stopwatch.GetTimestamp() / Stopwatch.Frequency);

    /// <summary>The records whose text begins so.</summary>
    /// <returns>Null where the log can't be read.</returns>
    public static IReadOnlyList<KernelLogRecord>? Read(string prefix)
    {
        // Non-blocking: the end of the log would be waited at.
        using SafeFileHandle handle = LibC.Open(Device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (handle.IsInvalid)
            return null;
        List<KernelLogRecord> records = [];
        byte[] buffer = new byte[LongestRecord];
        while (TryRead(handle, buffer, out int length))
        {
            if (Parse(Encoding.UTF8.GetString(buffer, 0, length)) is { } record && record.Text.StartsWith(prefix, StringComparison.Ordinal))
                records.Add(record);
        }

        return records;
    }

    internal static KernelLogRecord? Parse(string record)
    {
        int semicolon = record.IndexOf(';', StringComparison.Ordinal);
        if (semicolon < 0 || record[..semicolon].Split(',') is not [_, _, string microseconds, ..])
            return null;
        string text = record[(semicolon + 1)..].Split('\n')[0];
        return long.TryParse(microseconds, NumberStyles.None, CultureInfo.InvariantCulture, out long time)
            ? new KernelLogRecord(TimeSpan.FromMicroseconds(time), text)
            : null;
    }

    private static bool TryRead(SafeFileHandle handle, byte[] buffer, out int length)
    {
        while (true)
        {
            length = LibC.Read(handle, buffer);
            if (length >= 0)
                return length > 0;
            // After records that were overwritten the next read goes on.
            if ((Errno)Marshal.GetLastPInvokeError() is not (Errno.BrokenPipe or Errno.Interrupted))
                return false;
        }
    }
}
