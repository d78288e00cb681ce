using System.Globalization;
using System.Security.Cryptography;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking;

/// <summary>Traffic that is dropped until this is disposed, or the process ends in whatever way: by a table of nf_tables
/// that belongs to a socket (NFT_TABLE_F_OWNER, Linux 5.12). No other table is touched.</summary>
/// <remarks>Safe for use from several threads.</remarks>
public sealed class TrafficBlock : IDisposable
{
    private readonly object _gate = new();
    private readonly NetlinkConnection _connection;
    private readonly BlockTable _table;
    private readonly HashSet<ConntrackTuple> _tuples = [];
    private readonly HashSet<EntryKey> _leftOut = [];

    private TrafficBlock(NetlinkConnection connection, BlockTarget target, string? networkNamespace)
    {
        (_connection, Target, Namespace) = (connection, target, networkNamespace);

        // The process's id helps whoever finds the table; the rest keeps it unique, since ids repeat in other containers.
        string name = string.Create(CultureInfo.InvariantCulture, $"conntrackps-{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}");
        _table = new BlockTable(connection, name);
    }

    /// <summary>What is blocked.</summary>
    public BlockTarget Target { get; }

    /// <summary>The network namespace by the name it was given; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The name of the table, of family inet, as <c>nft list ruleset</c> shows it.</summary>
    public string Table => _table.Name;

    /// <summary>Since when, local time.</summary>
    public DateTime Since { get; } = DateTime.Now;

    /// <summary>How many tuples are dropped one by one: two for each flow.</summary>
    public int TupleCount
    {
        get
        {
            lock (_gate)
                return _tuples.Count;
        }
    }

    /// <summary>Flows that were left out, since no packet tells them from others: in zones, or of PPTP.</summary>
    public int LeftOut
    {
        get
        {
            lock (_gate)
                return _leftOut.Count;
        }
    }

    /// <summary>Starts to drop the traffic of a target. Flows that exist already are dropped by <see cref="AddFlows"/>.</summary>
    /// <param name="target">Whose traffic.</param>
    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <exception cref="BlockingUnavailableException">The kernel can't do it.</exception>
    /// <exception cref="NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static TrafficBlock Open(BlockTarget target, NetworkNamespace? networkNamespace = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        return Open(target, ConntrackTable.Attempt(() => NetlinkConnection.Open(networkNamespace)), networkNamespace?.Name);
    }

    internal static TrafficBlock Open(BlockTarget target, NetlinkConnection connection, string? networkNamespace)
    {
        TrafficBlock block = new(connection, target, networkNamespace);
        try
        {
            block._table.Create(target.Rules);
            block.AddFlows(target.Given);
            return block;
        }
        catch
        {
            block.Dispose();
            throw;
        }
    }

    /// <summary>Drops the packets of these flows too, both ways, as they are before translation.</summary>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public void AddFlows(IEnumerable<ConntrackEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        lock (_gate)
        {
            List<ConntrackTuple> added = [];
            foreach (ConntrackEntry entry in entries)
            {
                if (!IsToldByPackets(entry))
                    _leftOut.Add(EntryKey.Of(entry) with { Id = null });
                else
                    added.AddRange(((ConntrackTuple[])[entry.Original, entry.Reply]).Where(_tuples.Add));
            }

            _table.AddFlows(added);
        }
    }

    /// <summary>Reads what has been dropped so far.</summary>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public BlockCounters ReadCounters()
    {
        lock (_gate)
            return BlockCounters.Read(_connection, Table);
    }

    /// <summary>Lets the traffic pass again.</summary>
    public void Dispose()
    {
        lock (_gate)
            _connection.Dispose();
    }

    private static bool IsToldByPackets(ConntrackEntry entry) =>
        entry is { Zone: 0, OriginalZone: null or 0, ReplyZone: null or 0 } && FlowSet.Of(entry.Original) is not null && FlowSet.Of(entry.Reply) is not null;
}
