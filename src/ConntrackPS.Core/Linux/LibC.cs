using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>The calls of libc that this library makes: Tmds.LibC's, over handles instead of bare descriptors, and those that
/// it lacks. Its constants are used as they are (<c>using static Tmds.Linux.LibC</c>).</summary>
/// <remarks><para>A handle is held for as long as a call lasts: disposing it meanwhile does not let the kernel give its
/// number to another file, which the call would then hit.</para>
/// <para>What fails returns a negative number, or an invalid handle; Marshal.GetLastPInvokeError() is its errno, which the
/// release of a handle leaves alone. See docs/libc.md.</para></remarks>
internal static unsafe partial class LibC
{
    // Of sys/file.h, sys/inotify.h and linux/fs.h; the same for every processor.
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int IN_NONBLOCK = 0x800;
    public const int IN_CLOEXEC = 0x80000;
    public const uint IN_MODIFY = 2;
    public const int RENAME_NOREPLACE = 1;
    public const int RENAME_EXCHANGE = 2;

    public static readonly int SYS_statx = SystemCallsOf(RuntimeInformation.ProcessArchitecture).Statx;
    public static readonly int SYS_renameat2 = SystemCallsOf(RuntimeInformation.ProcessArchitecture).RenameAt2;

    public static SafeFileHandle Socket(int domain, int type, int protocol) => new(socket(domain, type, protocol), ownsHandle: true);

    public static int Bind(SafeFileHandle socket, SocketAddressNetlink address)
    {
        using HeldHandle held = new(socket);
        return bind(held.Descriptor, (sockaddr*)&address, (uint)sizeof(SocketAddressNetlink));
    }

    public static int SetSockOpt(SafeFileHandle socket, int level, int option, void* value, int length)
    {
        using HeldHandle held = new(socket);
        return setsockopt(held.Descriptor, level, option, value, length);
    }

    public static int GetSockOpt(SafeFileHandle socket, int level, int option, void* value, int length)
    {
        using HeldHandle held = new(socket);
        socklen_t room = length;
        return getsockopt(held.Descriptor, level, option, value, &room);
    }

    public static int Send(SafeFileHandle socket, ReadOnlySpan<byte> bytes, int flags = 0)
    {
        using HeldHandle held = new(socket);
        fixed (byte* buffer = bytes)
            return (int)send(held.Descriptor, buffer, bytes.Length, flags);
    }

    /// <param name="socket">A netlink socket.</param>
    /// <param name="buffer">Takes the datagram.</param>
    /// <param name="flags">MSG_*.</param>
    /// <param name="sender">Whose datagram it is.</param>
    public static int ReceiveFrom(SafeFileHandle socket, Span<byte> buffer, int flags, out SocketAddressNetlink sender)
    {
        using HeldHandle held = new(socket);
        SocketAddressNetlink address = default;
        socklen_t length = sizeof(SocketAddressNetlink);
        ssize_t received;
        fixed (byte* bytes = buffer)
            received = recvfrom(held.Descriptor, bytes, buffer.Length, flags, (sockaddr*)&address, &length);
        sender = address;
        return (int)received;
    }

    /// <summary>Waits until there is something to read.</summary>
    /// <returns>0 where the time is up, a negative number for a failure such as EINTR.</returns>
    public static int WaitToRead(SafeFileHandle file, int timeoutMilliseconds)
    {
        using HeldHandle held = new(file);
        pollfd descriptor = new() { fd = held.Descriptor, events = POLLIN };
        return Poll(&descriptor, 1, timeoutMilliseconds);
    }

    /// <summary>Waits until there is something to read of either.</summary>
    /// <param name="file">What is waited for.</param>
    /// <param name="wake">What ends the wait early.</param>
    /// <param name="timeoutMilliseconds">How long; a negative number for ever.</param>
    /// <param name="isWoken">Whether there is something to read of <paramref name="wake"/>.</param>
    /// <returns>0 where the time is up, a negative number for a failure such as EINTR.</returns>
    public static int WaitToRead(SafeFileHandle file, SafeFileHandle wake, int timeoutMilliseconds, out bool isWoken)
    {
        using HeldHandle heldFile = new(file);
        using HeldHandle heldWake = new(wake);
        pollfd* descriptors = stackalloc pollfd[2];
        descriptors[0] = new pollfd { fd = heldFile.Descriptor, events = POLLIN };
        descriptors[1] = new pollfd { fd = heldWake.Descriptor, events = POLLIN };
        int ready = Poll(descriptors, 2, timeoutMilliseconds);
        isWoken = ready > 0 && descriptors[1].revents != 0;
        return ready;
    }

    public static SafeFileHandle EpollCreate(int flags) => new(epoll_create1(flags), ownsHandle: true);

    /// <summary>Has a poller wait for data of a file too, which leaves by itself when it is closed.</summary>
    public static int EpollAdd(SafeFileHandle epoll, SafeFileHandle file, ulong token)
    {
        using HeldHandle heldEpoll = new(epoll);
        using HeldHandle heldFile = new(file);
        epoll_event wanted = new() { events = EPOLLIN };
        wanted.data.u64 = token;
        return epoll_ctl(heldEpoll.Descriptor, EPOLL_CTL_ADD, heldFile.Descriptor, &wanted);
    }

    public static int EpollWait(SafeFileHandle epoll, Span<epoll_event> ready, int timeoutMilliseconds)
    {
        using HeldHandle held = new(epoll);
        fixed (epoll_event* events = ready)
            return epoll_wait(held.Descriptor, events, ready.Length, timeoutMilliseconds);
    }

    public static SafeFileHandle EventFd(uint initial, int flags) => new(eventfd(initial, flags), ownsHandle: true);

    public static SafeFileHandle Open(string path, int flags)
    {
        fixed (byte* name = Terminate(path))
            return new SafeFileHandle(open(name, flags, 0), ownsHandle: true);
    }

    public static SafeFileHandle OpenAt(SafeFileHandle folder, string path, int flags, ushort mode = 0)
    {
        using HeldHandle held = new(folder);
        fixed (byte* name = Terminate(path))
            return new SafeFileHandle(openat(held.Descriptor, name, flags, mode), ownsHandle: true);
    }

    public static int Read(SafeFileHandle file, Span<byte> buffer)
    {
        using HeldHandle held = new(file);
        fixed (byte* bytes = buffer)
            return (int)read(held.Descriptor, bytes, buffer.Length);
    }

    public static int Write(SafeFileHandle file, ReadOnlySpan<byte> bytes)
    {
        using HeldHandle held = new(file);
        fixed (byte* buffer = bytes)
            return (int)write(held.Descriptor, buffer, bytes.Length);
    }

    public static int FSync(SafeFileHandle file)
    {
        using HeldHandle held = new(file);
        return fsync(held.Descriptor);
    }

    /// <summary>Where a link leads, below a folder or, with an empty name, the link that was opened itself.</summary>
    public static int ReadLinkAt(SafeFileHandle folder, string path, Span<byte> target)
    {
        using HeldHandle held = new(folder);
        fixed (byte* name = Terminate(path), buffer = target)
            return (int)readlinkat(held.Descriptor, name, buffer, target.Length);
    }

    public static int MakeFolderAt(SafeFileHandle folder, string path, ushort mode)
    {
        using HeldHandle held = new(folder);
        fixed (byte* name = Terminate(path))
            return mkdirat(held.Descriptor, name, mode);
    }

    public static int UnlinkAt(SafeFileHandle folder, string path)
    {
        using HeldHandle held = new(folder);
        fixed (byte* name = Terminate(path))
            return unlinkat(held.Descriptor, name, 0);
    }

    public static int ChangeOwner(SafeFileHandle file, uint user, uint group)
    {
        using HeldHandle held = new(file);
        return fchown(held.Descriptor, user, group);
    }

    public static int ChangeMode(SafeFileHandle file, ushort mode)
    {
        using HeldHandle held = new(file);
        return fchmod(held.Descriptor, mode);
    }

    /// <summary>statx(2) of an opened file. musl has had a function for it since 1.2.5 only.</summary>
    public static int Stat(SafeFileHandle file, out statx status)
    {
        using HeldHandle held = new(file);
        statx found;
        byte empty = 0;
        syscall_arg result = syscall(SYS_statx, held.Descriptor, &empty, AT_EMPTY_PATH, STATX_BASIC_STATS, &found);
        status = found;
        return (int)result;
    }

    /// <summary>renameat2(2), which some sandboxes don't let through. glibc has had a function for it since 2.28, musl since 1.2.5.
    /// </summary>
    public static int RenameAt2(SafeFileHandle fromFolder, string from, SafeFileHandle toFolder, string to, int flags)
    {
        using HeldHandle heldFrom = new(fromFolder);
        using HeldHandle heldTo = new(toFolder);
        fixed (byte* oldName = Terminate(from), newName = Terminate(to))
            return (int)syscall(SYS_renameat2, heldFrom.Descriptor, oldName, heldTo.Descriptor, newName, flags);
    }

    public static int MAdvise(void* start, int length, int advice) => madvise(start, length, advice);

    /// <summary>Moves the calling thread into the namespace that an opened file stands for.</summary>
    public static int SetNamespace(SafeFileHandle file, int type)
    {
        using HeldHandle held = new(file);
        return setns(held.Descriptor, type);
    }

    [LibraryImport("libc.so.6", EntryPoint = "flock", SetLastError = true)]
    public static partial int FLock(SafeFileHandle file, int operation);

    [LibraryImport("libc.so.6", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(SafeFileHandle fromFolder, string from, SafeFileHandle toFolder, string to);

    public static SafeFileHandle InotifyInit(int flags) => new(InotifyInit1(flags), ownsHandle: true);

    [LibraryImport("libc.so.6", EntryPoint = "inotify_add_watch", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int InotifyAddWatch(SafeFileHandle inotify, string path, uint mask);

    [LibraryImport("libc.so.6", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int InotifyInit1(int flags);

    /// <summary>Tmds.LibC's own keeps no errno: a signal (EINTR) would pass for success.</summary>
    [LibraryImport("libc.so.6", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(pollfd* descriptors, nuint count, int timeoutMilliseconds);

    private static byte[] Terminate(string path) => path.Contains('\0', StringComparison.Ordinal)
        ? throw new ArgumentException($"A path can't have the character NUL in it: {path.Replace('\0', '?')}")
        : Encoding.UTF8.GetBytes(path + '\0');

    /// <summary>The numbers of system calls that Tmds.LibC has no function for (asm/unistd.h), for the processors that it is for.
    /// </summary>
    internal static (int Statx, int RenameAt2) SystemCallsOf(Architecture processor) => processor switch
    {
        Architecture.X64 => (332, 316),
        Architecture.Arm64 => (291, 276),
        Architecture.Arm => (397, 382),
        _ => throw new PlatformNotSupportedException(),
    };

    /// <summary>A handle's descriptor, which stays open until this is disposed.</summary>
    private readonly ref struct HeldHandle
    {
        private readonly SafeFileHandle _handle;

        public HeldHandle(SafeFileHandle handle)
        {
            bool isHeld = false;
            handle.DangerousAddRef(ref isHeld);
            (_handle, Descriptor) = (handle, (int)handle.DangerousGetHandle());
        }

        public int Descriptor { get; }

        public void Dispose() => _handle.DangerousRelease();
    }
}

/// <summary>struct sockaddr_nl (linux/netlink.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SocketAddressNetlink
{
    public ushort Family;
    public ushort Padding;
    public uint PortId;
    public uint Groups;
}

/// <summary>struct sock_filter (linux/filter.h): one instruction of classic BPF.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SocketFilter
{
    public ushort Code;
    public byte JumpTrue;
    public byte JumpFalse;
    public uint Operand;
}

/// <summary>struct sock_fprog (linux/filter.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SocketFilterProgram
{
    public ushort Length;
    public SocketFilter* Filter;
}
