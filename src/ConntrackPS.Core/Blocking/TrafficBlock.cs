using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Blocking;

/// <summary>Drops traffic until it is disposed, or the process ends in any way. It uses an nf_tables table that belongs to a socket
/// (NFT_TABLE_F_OWNER, Linux 5.12). No other table is changed.</summary>
/// <remarks>Safe for use from several threads. <see cref="TableWatch"/> checks every second that the kernel still has the table, and
/// creates it again if not.</remarks>
public sealed class TrafficBlock : IDisposable
{
    private readonly WatchedTable _table;
    private readonly BlockContent _content;
    private readonly HashSet<EntryKey> _leftOut = [];

    private TrafficBlock(NetlinkConnection connection, BlockTarget target, string? networkNamespace, string namespaceIdentity)
    {
        (Target, Namespace, NamespaceIdentity) = (target, networkNamespace, namespaceIdentity);
        _content = new BlockContent(target.Rules);
        _table = new WatchedTable(connection, new OwnedTable(connection, OwnedTable.NewName(), "block traffic"), "block", "traffic passed");
    }

    /// <summary>The traffic to block.</summary>
    public BlockTarget Target { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The name of the table, of family inet, as <c>nft list ruleset</c> shows it.</summary>
    public string Table => _table.Name;

    /// <summary>The start of the block, local time.</summary>
    public DateTime Since { get; } = DateTime.Now;

    /// <summary>The number of tuples that are dropped individually: two for each flow.</summary>
    public int TupleCount
    {
        get
        {
            lock (_table.Gate)
                return _content.TupleCount;
        }
    }

    /// <summary>The number of flows that were left out, because no packet identifies them: flows in zones, or of PPTP.</summary>
    public int LeftOut
    {
        get
        {
            lock (_table.Gate)
                return _leftOut.Count;
        }
    }

    /// <inheritdoc cref="WatchedTable.IsInForce"/>
    public bool IsInForce => _table.IsInForce;

    /// <inheritdoc cref="WatchedTable.LossCount"/>
    public int LossCount => _table.LossCount;

    /// <inheritdoc cref="WatchedTable.LastLoss"/>
    public DateTime? LastLoss => _table.LastLoss;

    /// <inheritdoc cref="WatchedTable.Problem"/>
    public string? Problem => _table.Problem;

    /// <summary>The kernel's name for the network namespace, such as net:[4026531840].</summary>
    internal string NamespaceIdentity { get; }

    /// <summary>Starts to drop the traffic of a target. For existing flows call <see cref="AddFlows"/>.</summary>
    /// <param name="target">The traffic.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static TrafficBlock Open(BlockTarget target, NetworkNamespace? networkNamespace = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        (string identity, NetlinkConnection connection) = ConntrackTable.Attempt(
            () => (NetworkNamespace.ReadIdentity(networkNamespace), NetlinkConnection.Open(networkNamespace)));
        return Open(target, connection, networkNamespace?.Name, identity);
    }

    internal static TrafficBlock Open(BlockTarget target, NetlinkConnection connection, string? networkNamespace, string namespaceIdentity = "")
    {
        TrafficBlock block = new(connection, target, networkNamespace, namespaceIdentity);
        try
        {
            block.Collect(target.Given);
            block._table.Begin(block._content.AddTo);
            return block;
        }
        catch
        {
            block.Dispose();
            throw;
        }
    }

    /// <summary>Drops the packets of these flows too, in both directions, by their tuples before translation.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    /// <exception cref="NftTableLostException">The kernel has lost the table, and loses a new one too.</exception>
    public void AddFlows(IEnumerable<ConntrackEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        lock (_table.Gate)
        {
            IReadOnlyList<ConntrackTuple> added = Collect(entries);
            _table.Add((table, transaction) => _content.AddFlows(table, transaction, added));
        }
    }

    /// <inheritdoc cref="WatchedTable.ReadCounters"/>
    public RuleCounters ReadCounters() => _table.ReadCounters();

    /// <inheritdoc cref="WatchedTable.Look"/>
    internal void Look() => _table.Look();

    /// <summary>Stops dropping the traffic.</summary>
    public void Dispose() => _table.Dispose();

    /// <summary>Adds flows.</summary>
    /// <returns>The new tuples.</returns>
    private List<ConntrackTuple> Collect(IEnumerable<ConntrackEntry> entries)
    {
        List<ConntrackTuple> added = [];
        foreach (ConntrackEntry entry in entries)
        {
            if (!IsToldByPackets(entry))
                _leftOut.Add(EntryKey.Of(entry) with { Id = null });
            else
                added.AddRange(((ConntrackTuple[])[entry.Original, entry.Reply]).Where(_content.Add));
        }

        return added;
    }

    private static bool IsToldByPackets(ConntrackEntry entry) =>
        entry is { Zone: 0, OriginalZone: null or 0, ReplyZone: null or 0 } && FlowSet.Of(entry.Original) is not null && FlowSet.Of(entry.Reply) is not null;
}
