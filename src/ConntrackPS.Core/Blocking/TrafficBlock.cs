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
/// <remarks>Safe for use from several threads. <see cref="BlockWatch"/> looks every second whether the kernel still has the
/// table; one that is gone is made again.</remarks>
public sealed class TrafficBlock : IDisposable
{
    private readonly object _gate = new();
    private readonly NetlinkConnection _connection;
    private readonly BlockTable _table;
    private readonly HashSet<ConntrackTuple> _tuples = [];
    private readonly HashSet<EntryKey> _leftOut = [];
    private BlockCounters _before;
    private BlockCounters _last;
    private int _lossCount;
    private DateTime? _lastLoss;
    private Exception? _failure;
    private bool _isMade;
    private bool _isEnded;

    private TrafficBlock(NetlinkConnection connection, BlockTarget target, string? networkNamespace, string namespaceIdentity)
    {
        (_connection, Target, Namespace, NamespaceIdentity) = (connection, target, networkNamespace, namespaceIdentity);

        // The process's id tells an administrator whose table it is; the rest keeps it unique, since ids repeat in other containers.
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

    /// <summary>True where the kernel had the table, and all that belongs into it, when it was last asked: a second ago at
    /// most.</summary>
    public bool IsInForce
    {
        get
        {
            lock (_gate)
                return _isMade && _failure is null && !_isEnded;
        }
    }

    /// <summary>How often the kernel turned out to have the table no more.</summary>
    public int LossCount
    {
        get
        {
            lock (_gate)
                return _lossCount;
        }
    }

    /// <summary>When that showed last, local time; null for never.</summary>
    public DateTime? LastLoss
    {
        get
        {
            lock (_gate)
                return _lastLoss;
        }
    }

    /// <summary>What is or was wrong with the block, in a sentence or two; null where all is and was well.</summary>
    public string? Problem
    {
        get
        {
            lock (_gate)
                return DescribeProblem();
        }
    }

    /// <summary>The kernel's own name of the network namespace, such as net:[4026531840].</summary>
    internal string NamespaceIdentity { get; }

    /// <summary>Starts to drop the traffic of a target. Flows that exist already are dropped by <see cref="AddFlows"/>.</summary>
    /// <param name="target">Whose traffic.</param>
    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <exception cref="BlockingUnavailableException">The kernel can't do it.</exception>
    /// <exception cref="NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
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

    /// <summary>Drops the packets of these flows too, both ways, as they are before translation.</summary>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    /// <exception cref="BlockLostException">The kernel has the table no more, and does not keep another one either.</exception>
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
            catch (BlockLostException)
            {
                NoteLoss();
                Make();
            }
            catch (Exception exception)
            {
                // How much of it the kernel took is not known: the next look makes the table again, whole.
                (_isMade, _failure) = (false, exception);
                throw;
            }
        }
    }

    /// <summary>Looks whether the kernel has the table, makes it again where not, and reads what has been dropped so far. What
    /// a table that was lost had dropped since it was last read is not in it.</summary>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public BlockCounters ReadCounters()
    {
        lock (_gate)
        {
            Look();
            if (_isMade && _failure is null && !_isEnded)
                _last = BlockCounters.Read(_connection, Table);
            return _before.Plus(_last);
        }
    }

    /// <summary>Looks whether the kernel has the table, and makes it again where not. What prevents it shows in
    /// <see cref="IsInForce"/> and <see cref="Problem"/>.</summary>
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
            catch (Exception exception) when (exception is NetlinkException or NetlinkProtocolException or BlockLostException or BlockingUnavailableException)
            {
                _failure = exception;
            }
        }
    }

    /// <summary>Lets the traffic pass again.</summary>
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
        catch (BlockLostException)
        {
            // Gone before the first look. Once may be chance; a second time is an error.
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

    /// <summary>Takes flows in.</summary>
    /// <returns>The tuples that are new.</returns>
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

/// <summary>Looks every second, while this process has blocks, whether the kernel still has their tables.</summary>
/// <remarks>By asking, since there is no event: the kernel removes the tables of a closed socket without an event to
/// NFNLGRP_NFTABLES (nf_tables_api.c: nft_rcv_nl_event). To ask for one table takes microseconds.</remarks>
internal static class BlockWatch
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly HashSet<TrafficBlock> Blocks = [];
    private static Timer? _timer;

    /// <summary>Looks after a block from now on.</summary>
    public static void Add(TrafficBlock block)
    {
        lock (Blocks)
        {
            Blocks.Add(block);
            _timer ??= new Timer(_ => LookAtAll(), null, Period, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Leaves a block alone that ends.</summary>
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

        // Only now again, so that a kernel that is slow to answer isn't asked twice at once.
        lock (Blocks)
            _timer?.Change(Period, Timeout.InfiniteTimeSpan);
    }
}

/// <summary>The kernel has the table of a block no more, so that the block's traffic passes. The table belongs to one socket
/// of this process, which is still open; nothing but a fault takes it away.</summary>
/// <param name="table">The table's name.</param>
/// <param name="inner">How that showed.</param>
public sealed class BlockLostException(string table, Exception? inner = null)
    : Exception($"The kernel no longer has the block's table {table}, so the traffic passes.", inner);

/// <summary>The running kernel can't block traffic for as long as a process lives; nothing was blocked or deleted.</summary>
/// <param name="message">What is missing.</param>
/// <param name="inner">How that showed.</param>
public sealed class BlockingUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
