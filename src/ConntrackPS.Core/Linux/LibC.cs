using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>The libc calls that this library makes: those of Tmds.LibC with handles instead of bare descriptors, and those that Tmds.LibC
/// lacks. Its constants are used directly (<c>using static Tmds.Linux.LibC</c>).</summary>
/// <remarks>
/// <para>Each call holds its handle until it ends. So if the handle is disposed meanwhile, the kernel can't give its number to another file
/// that the call would then access.</para>
/// <para>A failed call returns a negative number or an invalid handle. Marshal.GetLastPInvokeError() is its errno; the release of a handle
/// does not change it. See docs/libc.md.</para>
/// </remarks>
internal static unsafe partial class LibC
{
    // From sys/file.h, sys/inotify.h and linux/fs.h. The values are the same on every processor.
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int IN_NONBLOCK = 0x800;
    public const int IN_CLOEXEC = 0x80000;
    public const uint IN_MODIFY = 2;
    public const int RENAME_NOREPLACE = 1;
    public const int RENAME_EXCHANGE = 2;

    public static readonly int SYS_statx = SystemCallsOf(RuntimeInformation.ProcessArchitecture).Statx;
    public static readonly int SYS_renameat2 = SystemCallsOf(RuntimeInformation.ProcessArchitecture).RenameAt2;
    public static readonly int SYS_bpf = SystemCallsOf(RuntimeInformation.ProcessArchitecture).Bpf;

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
    /// <param name="buffer">Receives the datagram.</param>
    /// <param name="flags">MSG_*.</param>
    /// <param name="sender">Receives the address of the sender.</param>
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

    /// <summary>Waits until a file is readable.</summary>
    /// <returns>0 after the timeout, a negative number for an error such as EINTR.</returns>
    public static int WaitToRead(SafeFileHandle file, int timeoutMilliseconds)
    {
        using HeldHandle held = new(file);
        pollfd descriptor = new() { fd = held.Descriptor, events = POLLIN };
        return Poll(&descriptor, 1, timeoutMilliseconds);
    }

    /// <summary>Waits until one of two files is readable.</summary>
    /// <param name="file">The file to wait for.</param>
    /// <param name="wake">The file that ends the wait early.</param>
    /// <param name="timeoutMilliseconds">The timeout. A negative number means no timeout.</param>
    /// <param name="isWoken">True if <paramref name="wake"/> is readable.</param>
    /// <returns>0 after the timeout, a negative number for an error such as EINTR.</returns>
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

    /// <summary>Adds a file to a poller. The kernel removes it when it is closed.</summary>
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

    /// <summary>Reads the target of a symbolic link below a folder. With an empty path it reads the open link itself.</summary>
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

    /// <summary>Calls statx(2) for an open file. musl has a function for it only since 1.2.5.</summary>
    public static int Stat(SafeFileHandle file, out statx status)
    {
        using HeldHandle held = new(file);
        statx found;
        byte empty = 0;
        syscall_arg result = syscall(SYS_statx, held.Descriptor, &empty, AT_EMPTY_PATH, STATX_BASIC_STATS, &found);
        status = found;
        return (int)result;
    }

    /// <summary>Calls renameat2(2), which some sandboxes block. glibc has a function for it since 2.28, musl since 1.2.5.</summary>
    public static int RenameAt2(SafeFileHandle fromFolder, string from, SafeFileHandle toFolder, string to, int flags)
    {
        using HeldHandle heldFrom = new(fromFolder);
        using HeldHandle heldTo = new(toFolder);
        fixed (byte* oldName = Terminate(from), newName = Terminate(to))
            return (int)syscall(SYS_renameat2, heldFrom.Descriptor, oldName, heldTo.Descriptor, newName, flags);
    }

    /// <summary>Calls bpf(2), for which no C library has a function.</summary>
    /// <param name="command">BPF_*.</param>
    /// <param name="attributes">union bpf_attr, as far as the command uses it.</param>
    /// <returns>A descriptor or 0, or a negative number for an error.</returns>
    public static int Bpf(int command, ReadOnlySpan<byte> attributes)
    {
        fixed (byte* union = attributes)
            return (int)syscall(SYS_bpf, command, union, attributes.Length);
    }

    /// <summary>Maps the first bytes of a file into memory, to read and write, shared with all others.</summary>
    /// <returns>Null for an error.</returns>
    public static byte* MapShared(SafeFileHandle file, int length)
    {
        using HeldHandle held = new(file);
        void* start = mmap(null, length, PROT_READ | PROT_WRITE, MAP_SHARED, held.Descriptor, 0);
        return (nint)start == -1 ? null : (byte*)start;
    }

    public static int Unmap(void* start, int length) => munmap(start, length);

    public static int MAdvise(void* start, int length, int advice) => madvise(start, length, advice);

    /// <summary>Moves the calling thread into the namespace of an open file.</summary>
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

    /// <summary>The version of Tmds.LibC does not store errno, so an interrupted call (EINTR) would look like success.</summary>
    [LibraryImport("libc.so.6", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(pollfd* descriptors, nuint count, int timeoutMilliseconds);

    private static byte[] Terminate(string path) => path.Contains('\0', StringComparison.Ordinal)
        ? throw new ArgumentException($"A path can't have the character NUL in it: {path.Replace('\0', '?')}")
        : Encoding.UTF8.GetBytes(path + '\0');

    /// <summary>The system call numbers for which Tmds.LibC has no function (asm/unistd.h), for the processors that it supports.</summary>
    internal static (int Statx, int RenameAt2, int Bpf) SystemCallsOf(Architecture processor) => processor switch
    {
        Architecture.X64 => (332, 316, 321),
        Architecture.Arm64 => (291, 276, 280),
        Architecture.Arm => (397, 382, 386),
        _ => throw new PlatformNotSupportedException(),
    };

    /// <summary>The descriptor of a handle. It stays open until this is disposed.</summary>
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
