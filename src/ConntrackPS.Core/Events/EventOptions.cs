using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>What to watch, and how.</summary>
public sealed record EventOptions
{
    /// <summary>The receive buffer unless another is asked for: about 104,000 events, in bytes.</summary>
    public const int DefaultReceiveBufferSize = 64 * 1024 * 1024;

    /// <summary>The backlog unless another is asked for: about a million events of a burst, in bytes.</summary>
    public const long DefaultBacklogSize = 64 * 1024 * 1024;

    /// <summary>What the kernel charges a receive buffer, as it accounts it, for an event, in bytes.</summary>
    internal const int BytesPerWaitingEvent = 1280;

    /// <summary>The kinds of events: New, Update, Destroy; all of them unless given.</summary>
    public IReadOnlyCollection<ConntrackEventType> EventType { get; init; } =
        [ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy];

    /// <summary>Which connections.</summary>
    public ConntrackFilter Filter { get; init; } = new();

    /// <summary>The socket's receive buffer in bytes; the kernel holds about one event in 640 of them (1,280 of the
    /// doubled size it grants). Past net.core.rmem_max it needs CAP_NET_ADMIN in the initial user namespace. Null for
    /// <see cref="DefaultReceiveBufferSize"/>, or as much of it as is allowed.</summary>
    public int? ReceiveBufferSize { get; init; }

    /// <summary>How much memory, in bytes, events may take that have been received and not been taken. The first quarter holds
    /// them as they came, 200 bytes or more each; from then on they are packed, an event of a burst to some 40 bytes. It is
    /// shared by all namespaces. While it is full, events wait in the receive buffers.</summary>
    public long BacklogSize { get; init; } = DefaultBacklogSize;

    /// <summary>Destroy events are kept in the kernel until they are delivered (NETLINK_BROADCAST_ERROR). While they wait
    /// they count in the table, so that this is given up when the table is nearly full. Where other events are watched too,
    /// a count of lost ones includes attempts to deliver that succeeded later.</summary>
    public bool IsReliable { get; init; }

    /// <summary>The present table comes first, as events of type Existing.</summary>
    public bool IncludeExisting { get; init; }

    /// <summary>After a loss the table is read, and what changed meanwhile comes as derived New, Update and Destroy events.</summary>
    public bool Resync { get; init; }

    /// <summary>Turns nf_conntrack_events on for all connections while this runs, and puts it back.</summary>
    public bool EnableEvents { get; init; }

    /// <summary>Watches all network namespaces that have a name, those of later included, beside the given ones.</summary>
    public bool FollowNamespaces { get; init; }

    internal Func<NetworkNamespace?, double> ReadFillPercent { get; init; } = TableFill.ReadPercent;

    internal bool UseKernelFilter { get; init; } = true;
}
