using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>Waits for data on many descriptors at once (epoll(7)), at a price that does not grow with them. Any thread may add and
/// remove; one waits.</summary>
internal sealed unsafe class Poller : IDisposable
{
    /// <summary>struct epoll_event (sys/epoll.h) is packed on x86-64 alone; its 64 bits of data come last.</summary>
    internal static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? PackedSize : PaddedSize;

    private const int MostAtOnce = 64;
    private const int PackedSize = 12;
    private const int PaddedSize = 16;

    private readonly SafeFileHandle _epoll;
    private readonly WakeSignal _wake = new();

    public Poller()
    {
        int descriptor = LibC.EpollCreate(LibC.EPOLL_CLOEXEC);
        if (descriptor < 0)
            throw Failure("epoll_create1");
        _epoll = new SafeFileHandle(descriptor, ownsHandle: true);
        Add(_wake.Handle, token: 0);
    }

    /// <summary>Waits for this one too.</summary>
    /// <param name="descriptor">Leaves by itself when it is closed.</param>
    /// <param name="token">Not 0; comes back when there is data.</param>
    public void Add(SafeFileHandle descriptor, ulong token)
    {
        byte* added = stackalloc byte[PaddedSize];
        Span<byte> bytes = new(added, PaddedSize);
        bytes.Clear();
        MemoryMarshal.Write(bytes, LibC.EPOLLIN);
        MemoryMarshal.Write(bytes[(EventSize - sizeof(ulong))..], token);
        if (LibC.EpollControl(_epoll, LibC.EPOLL_CTL_ADD, descriptor, added) != 0)
            throw Failure("epoll_ctl");
    }

    /// <summary>Waits until there is data, or <see cref="Nudge"/>.</summary>
    /// <param name="timeout">No longer than this.</param>
    /// <param name="onReady">Takes the token of each descriptor that has data: as long as it has, each time.</param>
    public void Wait(TimeSpan timeout, Action<ulong> onReady)
    {
        byte* ready = stackalloc byte[MostAtOnce * PaddedSize];
        int count = LibC.EpollWait(_epoll, ready, MostAtOnce, (int)timeout.TotalMilliseconds);
        if (count < 0 && Marshal.GetLastPInvokeError() is var errno && (Errno)errno != Errno.Interrupted)
            throw Failure("epoll_wait");
        for (int i = 0; i < count; i++)
        {
            ulong token = MemoryMarshal.Read<ulong>(new ReadOnlySpan<byte>(ready + i * EventSize + EventSize - sizeof(ulong), sizeof(ulong)));
            if (token == 0)
                _wake.Clear();
            else
                onReady(token);
        }
    }

    /// <summary>Ends the present wait, or the next one; from any thread, at any time.</summary>
    public void Nudge() => _wake.Nudge();

    public void Dispose()
    {
        _epoll.Dispose();
        _wake.Dispose();
    }

    private static IOException Failure(string call) => new($"{call} failed (errno {Marshal.GetLastPInvokeError()}).");
}
