using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using ConntrackPS.Tests.Infrastructure;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;
using LibC = ConntrackPS.Linux.LibC;

namespace ConntrackPS.Tests.Linux;

/// <summary>Our wrappers hold a handle during a call, and errno is kept after its release.</summary>
[SupportedOSPlatform("linux")]
public sealed class LibCTests
{
    private static readonly bool IsX64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;

    [Fact]
    public async Task A_descriptor_stays_open_while_a_call_uses_it_though_it_is_disposed()
    {
        SafeFileHandle file = LibC.EventFd(0, EFD_CLOEXEC);
        FileInfo descriptor = new($"/proc/self/fd/{file.DangerousGetHandle()}");
        Task<(int Result, int Errno)> waiting = Start(() => LibC.WaitToRead(file, 1000), out _);
        file.Dispose();
        Assert.Contains("eventfd", descriptor.LinkTarget, StringComparison.Ordinal);
        Assert.Equal(0, (await waiting).Result);
        descriptor.Refresh();
        Assert.DoesNotContain("eventfd", descriptor.LinkTarget ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Errno_outlives_the_release_that_closes_the_descriptor()
    {
        SafeFileHandle socket = OpenSocketThatWaitsForASecond(out SafeFileHandle other);
        using SafeFileHandle end = other;
        Task<(int Result, int Errno)> reading = Start(() => LibC.Read(socket, new byte[1]), out _);
        socket.Dispose();
        Assert.Equal((-1, EAGAIN), await reading);
    }

    [Fact]
    public void A_disposed_handle_is_refused()
    {
        SafeFileHandle file = LibC.EventFd(0, EFD_CLOEXEC);
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => LibC.Write(file, [0]));
        Assert.Throws<ObjectDisposedException>(() => LibC.WaitToRead(file, 0));
    }

    [Fact]
    public void A_path_with_a_NUL_does_not_open_what_stands_before_it() =>
        Assert.Throws<ArgumentException>(() => LibC.Open("/etc/passwd\0.txt", O_RDONLY));

    [Fact]
    public async Task A_signal_is_no_success()
    {
        // The runtime handles SIGCONT, so the thread that receives it is interrupted.
        const int SIGCONT = 18;
        using PosixSignalRegistration handler = PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => { });
        using SafeFileHandle file = LibC.EventFd(0, EFD_CLOEXEC);
        Task<(int Result, int Errno)> waiting = Start(() => LibC.WaitToRead(file, 20_000), out int thread);
        _ = syscall(IsX64 ? 234 : 131, Environment.ProcessId, thread, SIGCONT);
        Assert.Equal((-1, EINTR), await waiting);
    }

    /// <summary>Starts a call on a new thread, and returns when it is blocked in the kernel.</summary>
    private static Task<(int Result, int Errno)> Start(Func<int> call, out int thread)
    {
        int id = 0;
        Task<(int, int)> task = Task.Factory.StartNew(
            () =>
            {
                Volatile.Write(ref id, (int)syscall(IsX64 ? 186 : 178));
                return (call(), Marshal.GetLastPInvokeError());
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.True(Wait.Until(() => IsWaiting(Volatile.Read(ref id))));
        thread = id;
        return task;
    }

    /// <summary>/proc/PID/task/TID/syscall starts with the number of the call in which the thread is blocked.</summary>
    private static bool IsWaiting(int thread)
    {
        // asm/unistd.h of x86-64 and of arm64: read, poll, ppoll.
        string[] calls = IsX64 ? ["0", "7", "271"] : ["63", "73"];
        return thread != 0 && calls.Contains(File.ReadAllText($"/proc/self/task/{thread}/syscall").Split(' ')[0]);
    }

    private static unsafe SafeFileHandle OpenSocketThatWaitsForASecond(out SafeFileHandle other)
    {
        int* ends = stackalloc int[2];
        Assert.Equal(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends));
        other = new SafeFileHandle(ends[0], ownsHandle: true);
        SafeFileHandle socket = new(ends[1], ownsHandle: true);

        // struct timeval: seconds and microseconds.
        nint* time = stackalloc nint[] { 1, 0 };
        Assert.Equal(0, LibC.SetSockOpt(socket, SOL_SOCKET, SO_RCVTIMEO, time, 2 * sizeof(nint)));
        return socket;
    }
}
