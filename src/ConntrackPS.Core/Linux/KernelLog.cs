using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>One record of the kernel log.</summary>
/// <param name="SinceBoot">The time of the record, by the monotonic clock.</param>
/// <param name="Text">Its first line, without level and time.</param>
internal readonly record struct KernelLogRecord(TimeSpan SinceBoot, string Text);

/// <summary>The kernel log from /dev/kmsg: the records that are still in its ring buffer.</summary>
/// <remarks>Documentation/ABI/testing/dev-kmsg: each read returns one record, <c>level,sequence,microseconds,flags;text</c>. With
/// kernel.dmesg_restrict reading needs CAP_SYSLOG.</remarks>
internal static class KernelLog
{
    private const string Device = "/dev/kmsg";

    /// <summary>CONSOLE_EXT_LOG_MAX: reads into a shorter buffer fail.</summary>
    private const int LongestRecord = 8192;

    /// <summary>The current time, by the clock of the records.</summary>
    public static TimeSpan Now => TimeSpan.FromSeconds((double)Stopwatch.GetTimestamp() / Stopwatch.Frequency);

    /// <summary>The records whose text starts with the prefix.</summary>
    /// <returns>Null if the log can't be read.</returns>
    public static IReadOnlyList<KernelLogRecord>? Read(string prefix)
    {
        // O_NONBLOCK: otherwise the read at the end of the log would block.
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
            // EPIPE means that records were overwritten. The next read continues after them.
            if ((Errno)Marshal.GetLastPInvokeError() is not (Errno.BrokenPipe or Errno.Interrupted))
                return false;
        }
    }
}
