using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>An eventfd that ends a thread's wait on a socket from another thread, at once: for good, or this once.</summary>
internal sealed class WakeSignal : IDisposable
{
    private volatile bool _raised;

    public WakeSignal()
    {
        Handle = LibC.EventFd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (Handle.IsInvalid)
            throw new IOException($"eventfd failed (errno {Marshal.GetLastPInvokeError()}).");
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
    public void Nudge()
    {
        ulong one = 1;
        try
        {
            _ = LibC.Write(Handle, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in one)));
        }
        catch (ObjectDisposedException)
        {
            // Whoever waited is gone already, which is all that raising wants.
        }
    }

    /// <summary>Takes note of a nudge; to be called by the thread that waits.</summary>
    public void Clear()
    {
        Span<byte> count = stackalloc byte[sizeof(ulong)];
        _ = LibC.Read(Handle, count);
    }

    public void Dispose() => Handle.Dispose();
}
