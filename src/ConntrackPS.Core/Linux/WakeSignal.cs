using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>An eventfd that ends a thread's wait on a socket from another thread, at once and for good.</summary>
internal sealed class WakeSignal : IDisposable
{
    private volatile bool _raised;

    public WakeSignal()
    {
        int descriptor = LibC.EventFd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        if (descriptor < 0)
            throw new IOException($"eventfd failed (errno {Marshal.GetLastPInvokeError()}).");
        Handle = new SafeFileHandle(descriptor, ownsHandle: true);
    }

    public SafeFileHandle Handle { get; }

    public bool IsRaised => _raised;

    /// <summary>Raises the signal. Never waits, never throws, may be called from any thread at any time.</summary>
    public unsafe void Raise()
    {
        _raised = true;
        ulong one = 1;
        try
        {
            _ = LibC.Write(Handle, &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // Whoever waited is gone already, which is all that raising wants.
        }
    }

    public void Dispose() => Handle.Dispose();
}
