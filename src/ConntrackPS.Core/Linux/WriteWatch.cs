using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>Counts how often files are written, by any program: also below /proc and /sys, where a value that came and went
/// leaves no other trace. inotify(7).</summary>
/// <remarks>Safe for use from several threads. A write through another mount of /proc, as a container has one, goes unseen.
/// </remarks>
internal sealed class WriteWatch : IDisposable
{
    private readonly object _gate = new();
    private readonly SafeFileHandle _inotify;
    private long _count;

    private WriteWatch(SafeFileHandle inotify) => _inotify = inotify;

    /// <summary>Starts to watch files; those that can't be watched are left out.</summary>
    /// <returns>Null where none can be, or the user has as many watches as are allowed (fs.inotify.max_user_instances).</returns>
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

    /// <summary>A number that is another one after a write, once that has returned to its writer.</summary>
    /// <remarks>A third of a microsecond.</remarks>
    public long Count()
    {
        // Of several events, which the kernel may put together, one is enough.
        Span<byte> events = stackalloc byte[4096];
        lock (_gate)
        {
            while (LibC.Read(_inotify, events) > 0)
                _count++;
            return _count;
        }
    }

    public void Dispose() => _inotify.Dispose();

    /// <summary>The path that leads to an open file, in whichever namespace it was opened.</summary>
    public static string PathOf(SafeFileHandle file) =>
        string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.DangerousGetHandle()}");
}
