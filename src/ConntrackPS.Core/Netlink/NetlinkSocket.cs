using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Netlink;

/// <summary>A NETLINK_NETFILTER socket: sends datagrams to the kernel and receives them, without interpreting them.</summary>
/// <remarks>One thread at a time may receive. <see cref="Cancel"/> may be called from any thread.</remarks>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>The maximum number of port ids to try. The chance that another process has a port id is one in hundreds of
    /// millions.</summary>
    private const int MaximumBinds = 16;

    private readonly SafeFileHandle _handle;
    private readonly WakeSignal _wake = new();
    private readonly PortIds _portIds;
    private uint _portId;

    private NetlinkSocket(SafeFileHandle handle, PortIds portIds) => (_handle, _portIds) = (handle, portIds);

    /// <summary>Opens a socket in a network namespace. The socket stays there, whichever thread uses it.</summary>
    /// <param name="networkNamespace">The namespace, or null for the caller's own.</param>
    /// <param name="portIds">The source of the socket's port id. Tests replace it.</param>
    /// <exception cref="NetlinkException">The kernel has no netfilter netlink, or refused to open the socket.</exception>
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

    /// <summary>Wraps a socket that replaces the kernel's in tests.</summary>
    public static NetlinkSocket FromHandle(SafeFileHandle handle) => new(handle, PortIds.OfProcess);

    /// <summary>The port id of the socket, by which the kernel identifies the owner of objects. 0 before the bind and after the
    /// close.</summary>
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

    /// <summary>The number of datagrams that the kernel dropped since the socket was opened because the receive buffer was full
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

    /// <summary>Sets an option of level SOL_NETLINK.</summary>
    /// <exception cref="NetlinkException">The kernel refused: EPERM for a group without CAP_NET_ADMIN.</exception>
    public void SetNetlinkOption(NetlinkSocketOption option, int value, string operation)
    {
        if (!TrySetOption(NetlinkProtocol.SocketLevel, (int)option, value))
            throw new NetlinkException(operation, LastError());
    }

    /// <summary>Attaches a classic BPF program. The kernel drops the messages that it rejects before they are queued
    /// (SO_ATTACH_FILTER).</summary>
    /// <returns>False if the program is too large (ENOMEM): net.core.optmem_max of the socket's network namespace limits its size. Then all
    /// messages are queued.</returns>
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

    /// <summary>Requests a receive buffer size. With CAP_NET_ADMIN it may exceed the system's limit. The kernel doubles the size for its
    /// own bookkeeping; <see cref="ReceiveBufferSize"/> has the result.</summary>
    public void RequestReceiveBuffer(int bytes)
    {
        if (!TrySetOption(SOL_SOCKET, SO_RCVBUFFORCE, bytes))
            SetOption(SOL_SOCKET, SO_RCVBUF, bytes);
    }

    /// <summary>Requests larger buffers. With CAP_NET_ADMIN they may exceed the system's limit.</summary>
    public void RequestBuffers(int receiveBytes, int sendBytes)
    {
        RequestReceiveBuffer(receiveBytes);
        if (!TrySetOption(SOL_SOCKET, SO_SNDBUFFORCE, sendBytes))
            SetOption(SOL_SOCKET, SO_SNDBUF, sendBytes);
    }

    /// <summary>Sends messages to the kernel. The kernel has handled the requests when this returns.</summary>
    /// <exception cref="NetlinkException">The kernel did not accept the messages.</exception>
    public void Send(ReadOnlySpan<byte> messages, string operation)
    {
        while (LibC.Send(_handle, messages) < 0)
        {
            Errno errno = LastError();
            if (errno != Errno.Interrupted)
                throw new NetlinkException(operation, errno);
        }
    }

    /// <summary>Waits for a datagram from the kernel and receives it.</summary>
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

            // A signal, or a datagram from another process, ends the wait early. It does not extend the timeout.
            if (left < TimeSpan.Zero || !WaitForData(operation, left))
                throw TookTooLong(operation, timeout);
        }
    }

    /// <summary>ETIMEDOUT: nothing came in time.</summary>
    public static NetlinkException TookTooLong(string operation, TimeSpan timeout) =>
        new(operation, Errno.TimedOut, "no answer within " + timeout);

    /// <summary>Waits until a datagram arrives.</summary>
    /// <returns>False after the timeout.</returns>
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

        // A signal or a nudge counts as data: the caller checks, and waits again.
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
                // Port 0 is the kernel. Another process may write to this socket; its datagrams are ignored.
                return length;
            }
        }
    }

    /// <summary>Adds the socket to a poller, until the socket is closed.</summary>
    public void WatchBy(Poller poller, ulong token) => poller.Add(_handle, token);

    /// <summary>Ends any current wait and all later receives. May be called from any thread.</summary>
    public void Cancel() => _wake.Raise();

    /// <summary>Ends the current wait for data, or the next one. May be called from any thread.</summary>
    public void Nudge() => _wake.Nudge();

    public void Dispose()
    {
        // Close first, then return the port id: no other socket may have it until the kernel has notified all subsystems of the close.
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

/// <summary>Assigns the port ids (nl_pid) of this process's sockets. A socket keeps its port id from before its bind until after its
/// close.</summary>
/// <remarks>
/// <para>The kernel identifies the owner of an nf_tables table by the port id only. A closing socket frees its port id (netlink_release)
/// before nf_tables is notified (NETLINK_URELEASE, nf_tables_api.c: nft_rcv_nl_event). If another socket takes the same id in between, it
/// loses its tables without an event. The kernel's own choice for port 0 is always the process id, so this does happen.</para>
/// <para>The kernel never chooses the ids from this range: process ids are at most 2^22 (PID_MAX_LIMIT), and its second choice is a
/// negative number (netlink_autobind). The ids are random, because every user can read the ids in use (/proc/net/netlink). A user who could
/// predict the next id could take a table away by opening and closing a socket.</para>
/// </remarks>
internal sealed class PortIds
{
    /// <summary>The lowest id: above every process id.</summary>
    public const uint First = (1 << 22) + 1;

    /// <summary>The highest id: the last one below the kernel's own range.</summary>
    public const uint Last = int.MaxValue;

    private readonly Func<uint> _draw;
    private readonly HashSet<uint> _taken = [];

    /// <param name="draw">The source of ids, for tests. The default is random.</param>
    public PortIds(Func<uint>? draw = null) => _draw = draw ?? DrawRandom;

    /// <summary>The ids of this process's sockets, in all network namespaces.</summary>
    public static PortIds OfProcess { get; } = new();

    /// <summary>Returns an id that no other socket of this process has. If another process has it, bind(2) fails with EADDRINUSE.</summary>
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

    /// <summary>Returns an id after its socket is closed, when the kernel has notified all subsystems of the close.</summary>
    public void Return(uint id)
    {
        lock (_taken)
            _taken.Remove(id);
    }

    private static uint DrawRandom() => First + (uint)RandomNumberGenerator.GetInt32((int)(Last - First) + 1);
}
