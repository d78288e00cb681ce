using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>An eventfd that ends a thread's wait on a socket from another thread, at once: for good, or this once.</summary>
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
    public void Raise()
    {
        _raised = true;
        Nudge();
    }

    /// <summary>Ends the present wait, or the next one, and no other. As harmless as <see cref="Raise"/>.</summary>
    public unsafe void Nudge()
    {
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

    /// <summary>Takes note of a nudge; to be called by the thread that waits.</summary>
    public unsafe void Clear()
    {
        ulong count;
        _ = LibC.Read(Handle, &count, sizeof(ulong));
    }

    public void Dispose() => Handle.Dispose();
}
