using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>Waits for data on many descriptors at once (epoll(7)). The cost does not grow with their number. Any thread may add and remove;
/// only one may wait.</summary>
internal sealed class Poller : IDisposable
{
    private const int MostAtOnce = 64;

    private readonly SafeFileHandle _epoll;
    private readonly WakeSignal _wake = new();

    public Poller()
    {
        _epoll = LibC.EpollCreate(EPOLL_CLOEXEC);
        if (_epoll.IsInvalid)
            throw Failure("epoll_create1");
        Add(_wake.Handle, token: 0);
    }

    /// <summary>Adds a descriptor.</summary>
    /// <param name="descriptor">The descriptor. The kernel removes it when it is closed.</param>
    /// <param name="token">The value passed to the callback when there is data. Not 0.</param>
    public void Add(SafeFileHandle descriptor, ulong token)
    {
        if (LibC.EpollAdd(_epoll, descriptor, token) != 0)
            throw Failure("epoll_ctl");
    }

    /// <summary>Waits until there is data, or until <see cref="Nudge"/> is called.</summary>
    /// <param name="timeout">The maximum wait.</param>
    /// <param name="onReady">Called with the token of each descriptor that has data, each time while it has data.</param>
    public void Wait(TimeSpan timeout, Action<ulong> onReady)
    {
        Span<epoll_event> ready = stackalloc epoll_event[MostAtOnce];
        int count = LibC.EpollWait(_epoll, ready, (int)timeout.TotalMilliseconds);
        if (count < 0 && Marshal.GetLastPInvokeError() is var errno && (Errno)errno != Errno.Interrupted)
            throw Failure("epoll_wait");
        for (int i = 0; i < count; i++)
        {
            ulong token = ready[i].data.u64;
            if (token == 0)
                _wake.Clear();
            else
                onReady(token);
        }
    }

    /// <summary>Ends the current wait, or the next one. May be called from any thread at any time.</summary>
    public void Nudge() => _wake.Nudge();

    public void Dispose()
    {
        _epoll.Dispose();
        _wake.Dispose();
    }

    private static IOException Failure(string call) => new($"{call} failed (errno {Marshal.GetLastPInvokeError()}).");
}

/// <summary>An eventfd that ends a thread's wait on a socket immediately, from another thread: permanently, or once.</summary>
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

    /// <summary>Raises the signal permanently. Never blocks and never throws. May be called from any thread at any time.</summary>
    public void Raise()
    {
        _raised = true;
        Nudge();
    }

    /// <summary>Ends only the current wait, or the next one. Never blocks and never throws, like <see cref="Raise"/>.</summary>
    public void Nudge()
    {
        ulong one = 1;
        try
        {
            _ = LibC.Write(Handle, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in one)));
        }
        catch (ObjectDisposedException)
        {
            // The waiting thread has already ended, so there is nothing to wake.
        }
    }

    /// <summary>Resets a nudge. The waiting thread calls it.</summary>
    public void Clear()
    {
        Span<byte> count = stackalloc byte[sizeof(ulong)];
        _ = LibC.Read(Handle, count);
    }

    public void Dispose() => Handle.Dispose();
}
