using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>The lock of an open file or folder between processes that ask for it: flock(2). Closing the handle releases it, and so does the
/// end of the process.</summary>
internal static class FileLock
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    /// <summary>Waits for the lock, up to 10 seconds.</summary>
    /// <param name="handle">The open file or folder.</param>
    /// <param name="what">Its name, for messages.</param>
    /// <exception cref="IOException">Another process has held it all the time.</exception>
    public static void Take(SafeFileHandle handle, string what)
    {
        long started = Stopwatch.GetTimestamp();
        while (LibC.FLock(handle, LibC.LOCK_EX | LibC.LOCK_NB) != 0)
        {
            // Some network file systems have no locks. A second writer is rare.
            if ((Errno)Marshal.GetLastPInvokeError() is not (Errno.TryAgain or Errno.Interrupted))
                return;
            if (Stopwatch.GetElapsedTime(started) > Longest)
                throw new IOException($"{what} has been locked (flock) by another process for {Longest.TotalSeconds} seconds");
            Thread.Sleep(10);
        }
    }
}
