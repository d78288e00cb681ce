using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Netlink;

/// <summary>A NETLINK_NETFILTER socket: datagrams to and from the kernel, nothing about what they mean.</summary>
/// <remarks>One thread at a time may receive. <see cref="Cancel"/> may be called from any thread.</remarks>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>How many port ids are tried. One is taken by another process once in hundreds of millions.</summary>
    private const int MaximumBinds = 16;

    private readonly SafeFileHandle _handle;
    private readonly WakeSignal _wake = new();
    private readonly PortIds _portIds;
    private uint _portId;

    private NetlinkSocket(SafeFileHandle handle, PortIds portIds) => (_handle, _portIds) = (handle, portIds);

    /// <summary>Opens a socket in a network namespace; it stays there, whichever thread uses it.</summary>
    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="portIds">Where the socket's port id comes from, for tests.</param>
    /// <exception cref="NetlinkException">The kernel has no netfilter netlink, or refuses the socket.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static NetlinkSocket Open(NetworkNamespace? networkNamespace = null, PortIds? portIds = null)
    {
        NetlinkSocket socket = new(NetworkNamespace.RunIn(networkNamespace, Create), portIds ?? PortIds.OfProcess);
        try
        {
            socket.Bind();
            socket.SetOption(NetlinkProtocol.SocketLevel, (int)NetlinkSocketOption.ExtAck, 1);
            socket.SetOption(NetlinkProtocol.SocketLevel, (int)NetlinkSocketOption.CapAck, 1);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Wraps a socket that stands in for the kernel's, for tests.</summary>
    public static NetlinkSocket FromHandle(SafeFileHandle handle) => new(handle, PortIds.OfProcess);

    /// <summary>The socket's port id, by which the kernel knows what belongs to it; 0 for none, or none any more.</summary>
    public uint PortId => _portId;

    /// <summary>The size of the receive buffer as the kernel accounts it, in bytes.</summary>
    public int ReceiveBufferSize
    {
        get
        {
            int value;
            Check(LibC.GetSockOpt(_handle, SOL_SOCKET, SO_RCVBUF, &value, sizeof(int)), "read the receive buffer's size");
            return value;
        }
    }

    /// <summary>How many datagrams the kernel dropped since the socket was opened, since the receive buffer was full
    /// (SO_MEMINFO, SK_MEMINFO_DROPS).</summary>
    public uint DropCount
    {
        get
        {
            const int Drops = 8;
            uint* values = stackalloc uint[Drops + 1];
            Check(LibC.GetSockOpt(_handle, SOL_SOCKET, SO_MEMINFO, values, (Drops + 1) * sizeof(uint)), "read the count of lost messages");
            return values[Drops];
        }
    }

    /// <summary>Turns an option of level SOL_NETLINK on.</summary>
    /// <exception cref="NetlinkException">The kernel refused: EPERM for a group without CAP_NET_ADMIN.</exception>
    public void SetNetlinkOption(NetlinkSocketOption option, int value, string operation)
    {
        if (!TrySetOption(NetlinkProtocol.SocketLevel, (int)option, value))
            throw new NetlinkException(operation, LastError());
    }

    /// <summary>Has the kernel drop what a program of classic BPF rejects, before it is queued (SO_ATTACH_FILTER).</summary>
    /// <returns>False where the kernel has no room for it: net.core.optmem_max of the socket's network namespace bounds what a
    /// socket may take for a program (ENOMEM). All messages are queued then.</returns>
    public bool TryAttachFilter(ReadOnlySpan<SocketFilter> instructions)
    {
        fixed (SocketFilter* first = instructions)
        {
            SocketFilterProgram program = new() { Length = (ushort)instructions.Length, Filter = first };
            if (LibC.SetSockOpt(_handle, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(SocketFilterProgram)) == 0)
                return true;
        }

        Errno errno = LastError();
        return errno == Errno.OutOfMemory ? false : throw new NetlinkException("attach a socket filter", errno);
    }

    /// <summary>Asks for a receive buffer: past the system's limit where CAP_NET_ADMIN allows, else up to it. What the
    /// kernel granted is in <see cref="ReceiveBufferSize"/>, doubled for its own account.</summary>
    public void RequestReceiveBuffer(int bytes)
    {
        if (!TrySetOption(SOL_SOCKET, SO_RCVBUFFORCE, bytes))
            SetOption(SOL_SOCKET, SO_RCVBUF, bytes);
    }

    /// <summary>Asks for larger buffers: past the system's limit where CAP_NET_ADMIN allows, else up to it.</summary>
    public void RequestBuffers(int receiveBytes, int sendBytes)
    {
        RequestReceiveBuffer(receiveBytes);
        if (!TrySetOption(SOL_SOCKET, SO_SNDBUFFORCE, sendBytes))
            SetOption(SOL_SOCKET, SO_SNDBUF, sendBytes);
    }

    /// <summary>Sends to the kernel, which has handled the request when this returns.</summary>
    /// <exception cref="NetlinkException">The kernel did not take it.</exception>
    public void Send(ReadOnlySpan<byte> messages, string operation)
    {
        while (LibC.Send(_handle, messages) < 0)
        {
            Errno errno = LastError();
            if (errno != Errno.Interrupted)
                throw new NetlinkException(operation, errno);
        }
    }

    /// <summary>Receives one datagram from the kernel, waiting for it.</summary>
    /// <exception cref="NetlinkException">ETIMEDOUT: nothing came in time. ENOBUFS: messages were lost.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public int Receive(Span<byte> buffer, string operation, TimeSpan timeout)
    {
        long started = Environment.TickCount64;
        for (TimeSpan left = timeout; ; left = timeout - TimeSpan.FromMilliseconds(Environment.TickCount64 - started))
        {
            int length = TryReceive(buffer, operation);
            if (length > 0)
                return length;

            // A signal, or what is not from the kernel, ends the wait early; the time is not renewed by it.
            if (left < TimeSpan.Zero || !WaitForData(operation, left))
                throw TookTooLong(operation, timeout);
        }
    }

    /// <summary>ETIMEDOUT: nothing came in time.</summary>
    public static NetlinkException TookTooLong(string operation, TimeSpan timeout) =>
        new(operation, Errno.TimedOut, "no answer within " + timeout);

    /// <summary>Waits until a datagram is there.</summary>
    /// <returns>False when the time is up first.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public bool WaitForData(string operation, TimeSpan timeout)
    {
        int ready = LibC.WaitToRead(_handle, _wake.Handle, (int)timeout.TotalMilliseconds, out bool isWoken);
        if (_wake.IsRaised)
            throw new OperationCanceledException();
        if (ready < 0 && LastError() is var errno && errno != Errno.Interrupted)
            throw new NetlinkException(operation, errno);
        if (isWoken)
            _wake.Clear();

        // A signal or a nudge counts as data: the caller looks, and waits again.
        return ready != 0;
    }

    /// <summary>Receives one datagram from the kernel if one is there.</summary>
    /// <returns>Its length, or 0 for none.</returns>
    /// <exception cref="NetlinkException">ENOBUFS: messages were lost.</exception>
    /// <exception cref="NetlinkProtocolException">The datagram was larger than the buffer.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public int TryReceive(Span<byte> buffer, string operation)
    {
        while (true)
        {
            if (_wake.IsRaised)
                throw new OperationCanceledException();
            int length = LibC.ReceiveFrom(_handle, buffer, MSG_DONTWAIT | MSG_TRUNC, out SocketAddressNetlink sender);
            if (length < 0)
            {
                Errno errno = LastError();
                if (errno == Errno.TryAgain)
                    return 0;
                if (errno != Errno.Interrupted)
                    throw new NetlinkException(operation, errno);
            }
            else if (length > buffer.Length)
            {
                throw new NetlinkProtocolException($"A datagram of {length} bytes came where {buffer.Length} were expected.");
            }
            else if (length > 0 && sender.PortId == 0)
            {
                // Port 0 is the kernel; another process may write to this socket, and is ignored.
                return length;
            }
        }
    }

    /// <summary>Has a poller wait for data too, until the socket is closed.</summary>
    public void WatchBy(Poller poller, ulong token) => poller.Add(_handle, token);

    /// <summary>Ends any wait and every later receive, from any thread.</summary>
    public void Cancel() => _wake.Raise();

    /// <summary>Ends the present wait for data, or the next one, from any thread.</summary>
    public void Nudge() => _wake.Nudge();

    public void Dispose()
    {
        // In this order: before the kernel has told everyone that the socket is gone, its id must not be another's.
        _handle.Dispose();
        if (Interlocked.Exchange(ref _portId, 0) is not 0 and uint portId)
            _portIds.Return(portId);
        _wake.Dispose();
    }

    private static SafeFileHandle Create()
    {
        SafeFileHandle socket = LibC.Socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NetlinkProtocol.NetfilterFamily);
        return socket.IsInvalid ? throw new NetlinkException("open a netfilter netlink socket", LastError()) : socket;
    }

    private void Bind()
    {
        for (int attempt = 1; ; attempt++)
        {
            uint portId = _portIds.Take();
            if (LibC.Bind(_handle, new SocketAddressNetlink { Family = (ushort)AF_NETLINK, PortId = portId }) == 0)
            {
                _portId = portId;
                return;
            }

            Errno errno = LastError();
            _portIds.Return(portId);
            if (errno != Errno.AddressInUse || attempt == MaximumBinds)
                throw new NetlinkException("bind a netlink socket", errno);
        }
    }

    private static Errno LastError() => (Errno)Marshal.GetLastPInvokeError();

    private static void Check(int result, string operation)
    {
        if (result < 0)
            throw new NetlinkException(operation, LastError());
    }

    private void SetOption(int level, int option, int value)
    {
        if (!TrySetOption(level, option, value))
            throw new NetlinkException($"set socket option {level}/{option}", LastError());
    }

    private bool TrySetOption(int level, int option, int value) =>
        LibC.SetSockOpt(_handle, level, option, &value, sizeof(int)) == 0;
}

/// <summary>Draws the port ids (nl_pid) of this process's sockets, each for one socket from before its bind until after its
/// close.</summary>
/// <remarks>
/// <para>The kernel knows the owner of a table of nf_tables by the port id alone, and a closing socket frees its port id
/// (netlink_release) before nf_tables is told (NETLINK_URELEASE, nf_tables_api.c: nft_rcv_nl_event). A socket that has
/// taken the same id meanwhile loses its tables without an event. The kernel's own choice for port 0 is the process's id
/// again and again, which is how that comes about.</para>
/// <para>The ids drawn here are none that the kernel chooses: process ids are at most 2^22 (PID_MAX_LIMIT), and its second
/// choice is a negative number (netlink_autobind). They are random, since every user may read those in use
/// (/proc/net/netlink), and by opening and closing the next one could take a table away.</para>
/// </remarks>
internal sealed class PortIds
{
    /// <summary>The least id: past every process id.</summary>
    public const uint First = (1 << 22) + 1;

    /// <summary>The greatest id: the last one before the kernel's own range.</summary>
    public const uint Last = int.MaxValue;

    private readonly Func<uint> _draw;
    private readonly HashSet<uint> _taken = [];

    /// <param name="draw">Where ids come from, for tests; else they are random.</param>
    public PortIds(Func<uint>? draw = null) => _draw = draw ?? DrawRandom;

    /// <summary>The ids of this process's sockets, in whichever network namespace.</summary>
    public static PortIds OfProcess { get; } = new();

    /// <summary>An id that no socket of ours has. Another process may have it anyway: then bind(2) says
    /// EADDRINUSE.</summary>
    public uint Take()
    {
        lock (_taken)
        {
            while (true)
            {
                uint id = _draw();
                if (_taken.Add(id))
                    return id;
            }
        }
    }

    /// <summary>Gives an id back whose socket is closed, so that the kernel has told everyone of its end.</summary>
    public void Return(uint id)
    {
        lock (_taken)
            _taken.Remove(id);
    }

    private static uint DrawRandom() => First + (uint)RandomNumberGenerator.GetInt32((int)(Last - First) + 1);
}
