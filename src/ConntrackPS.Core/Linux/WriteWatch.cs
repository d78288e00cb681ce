using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>Counts writes to files by any program, with inotify(7). Works below /proc and /sys too, where a value that was changed and
/// changed back leaves no other trace.</summary>
/// <remarks>Safe for use from several threads. It does not see a write through another mount of /proc, such as that of a
/// container.</remarks>
internal sealed class WriteWatch : IDisposable
{
    private readonly object _gate = new();
    private readonly SafeFileHandle _inotify;
    private long _count;

    private WriteWatch(SafeFileHandle inotify) => _inotify = inotify;

    /// <summary>Starts to watch files. Skips files that can't be watched.</summary>
    /// <returns>Null if no file can be watched, or the user has reached the maximum number of watches
    /// (fs.inotify.max_user_instances).</returns>
    public static WriteWatch? TryStart(params string[] files)
    {
        SafeFileHandle inotify = LibC.InotifyInit(LibC.IN_NONBLOCK | LibC.IN_CLOEXEC);
        bool isWatching = false;
        foreach (string file in inotify.IsInvalid ? [] : files)
            isWatching |= LibC.InotifyAddWatch(inotify, file, LibC.IN_MODIFY) >= 0;
        if (isWatching)
            return new WriteWatch(inotify);
        inotify.Dispose();
        return null;
    }

    /// <summary>A number that differs after a write has returned to its writer.</summary>
    /// <remarks>Takes about 0.3 microseconds.</remarks>
    public long Count()
    {
        // The kernel may merge events, and one of several is enough.
        Span<byte> events = stackalloc byte[4096];
        lock (_gate)
        {
            while (LibC.Read(_inotify, events) > 0)
                _count++;
            return _count;
        }
    }

    public void Dispose() => _inotify.Dispose();

    /// <summary>A path that opens the same file again, whichever namespace it was opened in.</summary>
    public static string PathOf(SafeFileHandle file) =>
        string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.DangerousGetHandle()}");
}
