using System.Globalization;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Blocking;

/// <summary>Drops traffic until it is disposed, or the process ends in any way. It uses an nf_tables table that belongs to a socket
/// (NFT_TABLE_F_OWNER, Linux 5.12). No other table is changed.</summary>
/// <remarks>Safe for use from several threads. <see cref="BlockWatch"/> checks every second that the kernel still has the table, and
/// creates it again if not.</remarks>
public sealed class TrafficBlock : IDisposable
{
    private readonly object _gate = new();
    private readonly NetlinkConnection _connection;
    private readonly BlockTable _table;
    private readonly HashSet<ConntrackTuple> _tuples = [];
    private readonly HashSet<EntryKey> _leftOut = [];
    private RuleCounters _before;
    private RuleCounters _last;
    private int _lossCount;
    private DateTime? _lastLoss;
    private Exception? _failure;
    private bool _isMade;
    private bool _isEnded;

    private TrafficBlock(NetlinkConnection connection, BlockTarget target, string? networkNamespace, string namespaceIdentity)
    {
        (_connection, Target, Namespace, NamespaceIdentity) = (connection, target, networkNamespace, namespaceIdentity);
        _table = new BlockTable(connection, OwnedTable.NewName());
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
            lock (_gate)
                return _tuples.Count;
        }
    }

    /// <summary>The number of flows that were left out, because no packet identifies them: flows in zones, or of PPTP.</summary>
    public int LeftOut
    {
        get
        {
            lock (_gate)
                return _leftOut.Count;
        }
    }

    /// <summary>True if the kernel had the table with its whole content at the last check, at most a second ago.</summary>
    public bool IsInForce
    {
        get
        {
            lock (_gate)
                return _isMade && _failure is null && !_isEnded;
        }
    }

    /// <summary>The number of times that the kernel had lost the table.</summary>
    public int LossCount
    {
        get
        {
            lock (_gate)
                return _lossCount;
        }
    }

    /// <summary>The time when the last loss was detected, local time. Null if there was none.</summary>
    public DateTime? LastLoss
    {
        get
        {
            lock (_gate)
                return _lastLoss;
        }
    }

    /// <summary>The current or past problem of the block, in one or two sentences. Null if there was none.</summary>
    public string? Problem
    {
        get
        {
            lock (_gate)
                return DescribeProblem();
        }
    }

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
            block.Make();
            BlockWatch.Add(block);
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
        lock (_gate)
        {
            IReadOnlyList<ConntrackTuple> added = Collect(entries);
            try
            {
                _table.AddFlows(added);
            }
            catch (NftTableLostException)
            {
                NoteLoss();
                Make();
            }
            catch (Exception exception)
            {
                // It is unknown how much of it the kernel accepted, so the next check creates the whole table again.
                (_isMade, _failure) = (false, exception);
                throw;
            }
        }
    }

    /// <summary>Checks that the kernel has the table, creates it again if not, and reads its counters. If the table was lost, the counts
    /// since the last reading are missing.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public RuleCounters ReadCounters()
    {
        lock (_gate)
        {
            Look();
            if (_isMade && _failure is null && !_isEnded)
                _last = RuleCounters.Read(_connection, Table);
            return _before.Plus(_last);
        }
    }

    /// <summary>Checks that the kernel has the table, and creates it again if not. <see cref="IsInForce"/> and <see cref="Problem"/> show
    /// whether this failed.</summary>
    internal void Look()
    {
        lock (_gate)
        {
            if (_isEnded)
                return;
            try
            {
                if (_isMade && !_table.IsThere())
                    NoteLoss();
                if (!_isMade)
                    Make();
                _failure = null;
            }
            catch (Exception exception) when (exception is NetlinkException or NetlinkProtocolException or NftTableLostException or NftablesUnavailableException)
            {
                _failure = exception;
            }
        }
    }

    /// <summary>Stops dropping the traffic.</summary>
    public void Dispose()
    {
        BlockWatch.Remove(this);
        lock (_gate)
        {
            _isEnded = true;
            _connection.Dispose();
        }
    }

    private void Make()
    {
        try
        {
            _table.Make(Target.Rules, _tuples);
        }
        catch (NftTableLostException)
        {
            // Lost before the first check. Once may be a coincidence, a second time is an error.
            NoteLoss();
            _table.Make(Target.Rules, _tuples);
        }

        _isMade = true;
    }

    private void NoteLoss()
    {
        _isMade = false;
        _lossCount++;
        _lastLoss = DateTime.Now;
        (_before, _last) = (_before.Plus(_last), default);
    }

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
                added.AddRange(((ConntrackTuple[])[entry.Original, entry.Reply]).Where(_tuples.Add));
        }

        return added;
    }

    private string? DescribeProblem()
    {
        string? lost = _lastLoss is { } when
            ? string.Create(
                CultureInfo.CurrentCulture,
                $"The kernel has lost the block's table {Table} {(_lossCount == 1 ? "once" : $"{_lossCount} times")}, last at {when:T}; traffic passed until it was created again.")
            : null;
        return _failure is null ? lost : $"The block's table {Table} may not be in force, so traffic may pass: {_failure.Message} {lost}".TrimEnd();
    }

    private static bool IsToldByPackets(ConntrackEntry entry) =>
        entry is { Zone: 0, OriginalZone: null or 0, ReplyZone: null or 0 } && FlowSet.Of(entry.Original) is not null && FlowSet.Of(entry.Reply) is not null;
}

/// <summary>Checks every second that the kernel still has the tables of this process's blocks.</summary>
/// <remarks>It polls, because there is no event: the kernel removes the tables of a closed socket without an event to NFNLGRP_NFTABLES
/// (nf_tables_api.c: nft_rcv_nl_event). A request for one table takes microseconds.</remarks>
internal static class BlockWatch
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly HashSet<TrafficBlock> Blocks = [];
    private static Timer? _timer;

    /// <summary>Starts to watch a block.</summary>
    public static void Add(TrafficBlock block)
    {
        lock (Blocks)
        {
            Blocks.Add(block);
            _timer ??= new Timer(_ => LookAtAll(), null, Period, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Stops watching a block that ends.</summary>
    public static void Remove(TrafficBlock block)
    {
        lock (Blocks)
        {
            if (!Blocks.Remove(block) || Blocks.Count > 0)
                return;
            _timer?.Dispose();
            _timer = null;
        }
    }

    private static void LookAtAll()
    {
        TrafficBlock[] blocks;
        lock (Blocks)
            blocks = [.. Blocks];
        foreach (TrafficBlock block in blocks)
            block.Look();

        // Scheduled only after the check, so that a slow kernel is not asked twice at once.
        lock (Blocks)
            _timer?.Change(Period, Timeout.InfiniteTimeSpan);
    }
}
