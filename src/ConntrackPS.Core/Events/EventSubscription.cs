using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>A socket that has joined the multicast groups of connection events, and counts the events that it missed.</summary>
internal sealed class EventSubscription : IDisposable
{
    private const string Operation = "receive connection-tracking events";
    private const int Off = 0;
    private const int On = 1;

    private readonly NetlinkSocket _socket;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(NetlinkProtocol.DatagramSize);
    private readonly bool _onlyDestroyed;
    private volatile bool _losesNothing;
    private uint _drops;

    /// <summary>Subscribes to connection events.</summary>
    /// <exception cref="NetlinkException">EPERM: joining the groups needs CAP_NET_ADMIN.</exception>
    public EventSubscription(NetworkNamespace? networkNamespace, EventOptions options)
        : this(
            networkNamespace, options.EventType.Select(GroupOf), options.ReceiveBufferSize, options.IsReliable,
            options.UseKernelFilter ? EventFilterCompiler.Compile(options.Filter) : null)
    {
    }

    /// <summary>Subscribes to multicast groups.</summary>
    /// <exception cref="NetlinkException">EPERM: joining the groups needs CAP_NET_ADMIN.</exception>
    public EventSubscription(
        NetworkNamespace? networkNamespace,
        IEnumerable<NetfilterGroup> groups,
        int? receiveBufferSize,
        bool isReliable = false,
        SocketFilter[]? program = null)
    {
        NetfilterGroup[] joined = [.. groups];
        _onlyDestroyed = joined is [NetfilterGroup.ConntrackDestroy];

        // Read before the socket is opened, to detect that another namespace takes the name in between.
        Identity = NetworkNamespace.ReadIdentity(networkNamespace);
        _socket = NetlinkSocket.Open(networkNamespace);
        try
        {
            _socket.RequestReceiveBuffer(receiveBufferSize ?? EventOptions.DefaultReceiveBufferSize);
            if (_socket.ReceiveBufferSize / 2 < receiveBufferSize)
                throw new ReceiveBufferException(receiveBufferSize.Value, _socket.ReceiveBufferSize / 2);

            // The drop count is exact, while ENOBUFS is reported once for any number of drops.
            _socket.SetNetlinkOption(NetlinkSocketOption.NoEnobufs, On, "turn ENOBUFS off");
            if (isReliable)
                SetReliable(true);

            // Without the program more events are received. All are checked here in any case.
            HasProgram = program is not null && _socket.TryAttachFilter(program);

            // Joined last, so that no unfiltered event is queued before the filter is set.
            foreach (NetfilterGroup group in joined)
                _socket.SetNetlinkOption(NetlinkSocketOption.AddMembership, (int)group, "listen to connection-tracking events");
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>Uses a socket that is already subscribed, for tests.</summary>
    internal EventSubscription(NetlinkSocket socket) => (_socket, Identity) = (socket, "");

    /// <summary>True if the kernel filters events before it queues them.</summary>
    public bool HasProgram { get; }

    /// <summary>The kernel's name for the network namespace.</summary>
    public string Identity { get; }

    /// <summary>The receive buffer that the kernel granted, in bytes. The kernel doubles the requested size for its own
    /// bookkeeping.</summary>
    public int ReceiveBufferSize => _socket.ReceiveBufferSize;

    /// <summary>Receives the next datagram if there is one.</summary>
    /// <param name="datagram">The datagram. Valid until the next call. Empty if there is none.</param>
    public bool TryReceive(out ReadOnlySpan<byte> datagram)
    {
        datagram = _buffer.AsSpan(0, _socket.TryReceive(_buffer, Operation));
        return !datagram.IsEmpty;
    }

    /// <summary>Adds the socket to a poller.</summary>
    public void WatchBy(Poller poller, ulong token) => _socket.WatchBy(poller, token);

    /// <summary>The number of events lost since the last call. With reliable delivery of destroy events together with other types it is an
    /// upper limit, because the kernel counts each failed attempt.</summary>
    public uint TakeLosses()
    {
        uint lost = TakeDrops();
        return _losesNothing ? 0 : lost;
    }

    /// <summary>Switches reliable delivery of destroy events on or off.</summary>
    public void SetReliable(bool reliable)
    {
        // Until now each drop was an attempt that the kernel repeats. An event that is finally lost is dropped, and counted, again.
        if (_losesNothing)
            TakeDrops();
        _socket.SetNetlinkOption(NetlinkSocketOption.BroadcastError, reliable ? On : Off, "make destroy events reliable");
        _losesNothing = reliable && _onlyDestroyed;
    }

    /// <summary>Ends any current wait and all later reads. May be called from any thread.</summary>
    public void Cancel() => _socket.Cancel();

    public void Dispose() => _socket.Dispose();

    private uint TakeDrops()
    {
        uint drops = _socket.DropCount;
        uint taken = unchecked(drops - _drops);
        _drops = drops;
        return taken;
    }

    private static NetfilterGroup GroupOf(ConntrackEventType type) => type switch
    {
        ConntrackEventType.New => NetfilterGroup.ConntrackNew,
        ConntrackEventType.Update => NetfilterGroup.ConntrackUpdate,
        ConntrackEventType.Destroy => NetfilterGroup.ConntrackDestroy,
        _ => throw new ArgumentException($"{type} is not an event of the kernel. Name New, Update or Destroy.", nameof(type)),
    };
}

/// <summary>The kernel did not grant the requested receive buffer.</summary>
/// <param name="requested">The requested size, in bytes.</param>
/// <param name="granted">The granted size, in bytes: net.core.rmem_max.</param>
public sealed class ReceiveBufferException(int requested, int granted)
    : Exception($"The kernel refused a receive buffer of {requested} bytes; {granted} is what it allows.");

/// <summary>Controls whether the kernel produces events (nf_conntrack_events): 0 never; 2, the default, for connections that start while a
/// program listens; 1 for all, which makes connection setup 6 to 10 percent slower.</summary>
internal static class EventSwitch
{
    private const string Setting = Sysctl.Netfilter + "nf_conntrack_events";

    /// <summary>Reads the setting.</summary>
    /// <exception cref="EventsUnavailableException">This kernel does not support events.</exception>
    public static long Read(NetworkNamespace? networkNamespace) =>
        Sysctl.ReadNumber(Setting, networkNamespace) ?? throw new EventsUnavailableException();

    /// <summary>Turns events on for all connections. Disposing the result restores the setting.</summary>
    /// <exception cref="EventsUnavailableException">This kernel does not support events.</exception>
    /// <exception cref="UnauthorizedAccessException">CAP_NET_ADMIN is missing.</exception>
    public static IDisposable Enable(NetworkNamespace? networkNamespace)
    {
        long before = Read(networkNamespace);
        if (before != 1)
            Sysctl.WriteNumber(Setting, 1, networkNamespace);
        return new Restorer(before, networkNamespace);
    }

    private sealed class Restorer(long before, NetworkNamespace? networkNamespace) : IDisposable
    {
        private bool _done;

        public void Dispose()
        {
            if (_done || before == 1)
                return;
            _done = true;
            try
            {
                Sysctl.WriteNumber(Setting, before, networkNamespace);
            }
            catch (NetworkNamespaceException)
            {
                // The namespace is gone, with its settings.
            }
        }
    }
}

/// <summary>This kernel has connection tracking without events: it was built without CONFIG_NF_CONNTRACK_EVENTS.</summary>
internal sealed class EventsUnavailableException() : ConntrackUnavailableException("This kernel was built without connection-tracking events.");
