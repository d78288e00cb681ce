using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>A socket that has joined the groups of connection events, and knows how many it has missed.</summary>
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

    /// <summary>Listens to connections' events.</summary>
    /// <exception cref="NetlinkException">EPERM: joining the groups needs CAP_NET_ADMIN.</exception>
    public EventSubscription(NetworkNamespace? networkNamespace, EventOptions options)
        : this(
            networkNamespace, options.EventType.Select(GroupOf), options.ReceiveBufferSize, options.IsReliable,
            options.UseKernelFilter ? EventFilterCompiler.Compile(options.Filter) : null)
    {
    }

    /// <summary>Listens to groups.</summary>
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

        // Before the socket, so that one in a namespace that took the name since is found to be elsewhere.
        Identity = NetworkNamespace.ReadIdentity(networkNamespace);
        _socket = NetlinkSocket.Open(networkNamespace);
        try
        {
            _socket.RequestReceiveBuffer(receiveBufferSize ?? EventOptions.DefaultReceiveBufferSize);
            if (_socket.ReceiveBufferSize / 2 < receiveBufferSize)
                throw new ReceiveBufferException(receiveBufferSize.Value, _socket.ReceiveBufferSize / 2);

            // The count of drops tells exactly what ENOBUFS tells once for any number.
            _socket.SetNetlinkOption(NetlinkSocketOption.NoEnobufs, On, "turn ENOBUFS off");
            if (isReliable)
                SetReliable(true);

            // Without it more is received; all is checked here in any case.
            HasProgram = program is not null && _socket.TryAttachFilter(program);

            // Last, so that nothing unfiltered comes before the filter.
            foreach (NetfilterGroup group in joined)
                _socket.SetNetlinkOption(NetlinkSocketOption.AddMembership, (int)group, "listen to connection-tracking events");
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>Reads what comes through a socket that listens already, for tests.</summary>
    internal EventSubscription(NetlinkSocket socket) => (_socket, Identity) = (socket, "");

    /// <summary>True where the kernel filters what it queues.</summary>
    public bool HasProgram { get; }

    /// <summary>The kernel's own name of the network namespace.</summary>
    public string Identity { get; }

    /// <summary>What the kernel granted, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _socket.ReceiveBufferSize;

    /// <summary>Takes the next datagram if one is there.</summary>
    /// <param name="datagram">Good until the next call; empty for none.</param>
    public bool TryReceive(out ReadOnlySpan<byte> datagram)
    {
        datagram = _buffer.AsSpan(0, _socket.TryReceive(_buffer, Operation));
        return !datagram.IsEmpty;
    }

    /// <summary>Has a poller tell when an event is there.</summary>
    public void WatchBy(Poller poller, ulong token) => _socket.WatchBy(poller, token);

    /// <summary>Events lost since the last call; where destroy events are kept for later delivery, and others come too, no
    /// more than that: the kernel counts its attempts.</summary>
    public uint TakeLosses()
    {
        uint lost = TakeDrops();
        return _losesNothing ? 0 : lost;
    }

    /// <summary>Whether the kernel keeps destroy events until they are delivered.</summary>
    public void SetReliable(bool reliable)
    {
        // Until now a drop was an attempt that the kernel repeats: what is lost in the end is dropped, and counted, once more.
        if (_losesNothing)
            TakeDrops();
        _socket.SetNetlinkOption(NetlinkSocketOption.BroadcastError, reliable ? On : Off, "make destroy events reliable");
        _losesNothing = reliable && _onlyDestroyed;
    }

    /// <summary>Ends any wait and every later read, from any thread.</summary>
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

/// <summary>The kernel did not give the receive buffer that was asked for.</summary>
/// <param name="requested">What was asked for, in bytes.</param>
/// <param name="granted">What it gave, in bytes: net.core.rmem_max.</param>
public sealed class ReceiveBufferException(int requested, int granted)
    : Exception($"The kernel refused a receive buffer of {requested} bytes; {granted} is what it allows.");

/// <summary>Whether the kernel makes events at all (nf_conntrack_events): 0 never; 2, the default, for connections that
/// begin while a program listens; 1 for all, at 6 to 10 percent of the speed of connection set-up.</summary>
internal static class EventSwitch
{
    private const string Setting = Sysctl.Netfilter + "nf_conntrack_events";

    /// <summary>Reads the setting.</summary>
    /// <exception cref="EventsUnavailableException">This kernel has no events.</exception>
    public static long Read(NetworkNamespace? networkNamespace) =>
        Sysctl.ReadNumber(Setting, networkNamespace) ?? throw new EventsUnavailableException();

    /// <summary>Turns events on for all connections, until the result is disposed, which puts the setting back.</summary>
    /// <exception cref="EventsUnavailableException">This kernel has no events.</exception>
    /// <exception cref="UnauthorizedAccessException">That needs CAP_NET_ADMIN.</exception>
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
                // Gone, and its settings with it.
            }
        }
    }
}

/// <summary>This kernel tracks connections, but has no events: it was built without CONFIG_NF_CONNTRACK_EVENTS.</summary>
internal sealed class EventsUnavailableException() : ConntrackUnavailableException("This kernel was built without connection-tracking events.");
