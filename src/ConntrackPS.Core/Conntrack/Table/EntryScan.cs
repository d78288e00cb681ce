using System.Diagnostics;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>One pass over the table, a datagram at a time, which hands over what a filter lets through.</summary>
/// <remarks>Begins again when the table is resized under it, and without the kernel's help when the kernel refuses its
/// share of the filter. Ends with an exception where no attempt was whole, so that an incomplete listing never passes for a complete one.
/// </remarks>
internal sealed class EntryScan : IDisposable
{
    private const string Operation = "list connection-tracking entries";

    private readonly NetworkNamespace? _networkNamespace;
    private readonly TableKind _kind;
    private readonly bool _readAhead;
    private readonly ConntrackFilter? _filter;
    private readonly IEntrySink _sink;
    private readonly ScanTerms _terms;
    private readonly ResizeGuard _resize;
    private readonly MessageHandler _onMessage;
    private volatile NetlinkConnection _connection;
    private volatile bool _cancelled;
    private FilterPlan _plan;
    private DumpReader? _dump;
    private bool _answered;
    private bool _wasResized;
    private bool _isLast;
    private long _firstResize;
    private ulong _now;

    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="plan">Which entries, and how much of that the kernel does.</param>
    /// <param name="kind">Which of the kernel's lists.</param>
    /// <param name="sink">Takes the entries, on the caller's thread.</param>
    /// <param name="readAhead">Whether the kernel's datagrams are received on another thread meanwhile.</param>
    /// <param name="terms">What it works with; the kernel unless given.</param>
    public EntryScan(
        NetworkNamespace? networkNamespace,
        FilterPlan plan,
        TableKind kind,
        IEntrySink sink,
        bool readAhead = false,
        ScanTerms? terms = null)
    {
        _terms = terms ?? ScanTerms.Default;
        _readAhead = readAhead;
        _networkNamespace = networkNamespace;
        _plan = kind == TableKind.Main ? plan : plan.WithoutKernel();
        _kind = kind;
        _filter = plan.Filter.IsEmpty ? null : plan.Filter;
        _sink = sink;
        _onMessage = Take;
        _resize = new ResizeGuard(_terms.ReadBuckets);
        try
        {
            (_connection, _dump) = Start();
        }
        catch
        {
            _resize.Dispose();
            throw;
        }
    }

    /// <summary>How often the table was resized under the scan, which then began again.</summary>
    public int Repeats { get; private set; }

    /// <summary>Waits for the next datagram, and hands its entries over.</summary>
    /// <returns>False at the end of the table, of which every entry has then been handed over.</returns>
    /// <exception cref="IncompleteListingException">At the end: the table would not hold still, and entries may be missing
    /// from those that were handed over.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public bool Read()
    {
        if (_dump is null)
            return false;
        bool more, isDisturbed;

        // One time for a datagram: a slow consumer may take hours over the table, and a clock may be set meanwhile.
        _now = FilterTerm.Now();
        try
        {
            more = _dump.Read(_onMessage);

            // After the end there is nothing left to disturb: that it was reached in order showed with the last datagram.
            isDisturbed = more && _resize.HasResized();
        }
        catch (IncompleteListingException)
        {
            // No kernel notices a resize by itself, but one may some day.
            (more, isDisturbed) = (false, true);
        }
        catch (NetlinkException exception) when (IsFilterRefused(exception))
        {
            _plan = _plan.WithoutKernel();
            Restart();
            return true;
        }
        catch (NetlinkException exception) when (!_answered && exception.Errno == Errno.InvalidArgument)
        {
            // A plain dump has nothing in it that could be invalid: the message itself is unknown.
            throw new ConntrackUnavailableException("This kernel has no connection tracking by netlink.", exception);
        }

        _answered = true;
        if (isDisturbed && !_wasResized)
            Spoil();
        if (!_wasResized || (more && (_isLast || _sink.TakesInterrupted)))
            return more;
        if (_isLast || (_sink.TakesInterrupted && IsTimeToGiveUp()))
            throw new IncompleteListingException(Operation, Repeats + 1);
        Repeats++;
        _wasResized = false;
        _sink.Restart();
        Restart();
        return true;
    }

    /// <summary>Ends any wait, from any thread.</summary>
    public void Cancel()
    {
        _cancelled = true;
        _connection.Cancel();
    }

    public void Dispose()
    {
        _connection.Dispose();
        _resize.Dispose();
    }

    /// <returns>No dump where there is nothing to list.</returns>
    private (NetlinkConnection Connection, DumpReader? Dump) Start()
    {
        NetlinkConnection connection = _terms.Open(_networkNamespace);
        try
        {
            // A dump walks the hash table that all network namespaces share, for as long in an empty one. The kernel counts
            // an entry from before it is shown until after it is hidden, so that no entry means none to show. The other lists
            // are read in any case: what is on them need not be counted on every kernel.
            if (_kind == TableKind.Main && _terms.ReadCount(connection) == 0)
                return (connection, null);
            Span<byte> request = stackalloc byte[NetlinkBatch.MaximumMessageSize];
            return (connection, connection.Dump(TableRequests.Dump(request, _kind, _plan.Kernel), Operation, _readAhead));
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void Restart()
    {
        _connection.Dispose();
        (_connection, _dump) = Start();
        if (_cancelled)
            _connection.Cancel();
    }

    /// <summary>The table was resized under this attempt. The datagram in hand may have been filled after that already.
    /// </summary>
    private void Spoil()
    {
        _wasResized = true;
        if (Repeats == 0)
            _firstResize = Stopwatch.GetTimestamp();
        if (_sink.TakesInterrupted)
            _sink.Restart();
        else
            _isLast = IsTimeToGiveUp();
    }

    private bool IsTimeToGiveUp() => Repeats >= _terms.LeastRepeats && Stopwatch.GetElapsedTime(_firstResize) >= _terms.RepeatTimeout;

    private bool IsFilterRefused(NetlinkException exception) =>
        !_answered && !_plan.Kernel.IsEmpty
        && exception.Errno is Errno.InvalidArgument or Errno.NotSupported or Errno.OutOfRange;

    private void Take(NetlinkMessage message)
    {
        ConntrackEntry entry = _sink.NextEntry();
        EntryDecoder.Decode(message, entry);
        if (_filter is not null && !_filter.Matches(entry, _now))
            return;
        entry.Namespace = _networkNamespace?.Name;
        _sink.Take(entry);
    }
}

/// <summary>What a scan works with, and how long it puts up with a table that is resized under it.</summary>
internal sealed record ScanTerms
{
    /// <summary>The kernel's, and what users get.</summary>
    public static readonly ScanTerms Default = new();

    /// <summary>Opens the connection, anew at each repeat.</summary>
    public Func<NetworkNamespace?, NetlinkConnection> Open { get; init; } = NetlinkConnection.Open;

    /// <summary>Tells how many entries there are in the connection's network namespace; null where that is not known.</summary>
    public Func<NetlinkConnection, uint?> ReadCount { get; init; } = TableCount.TryRead;

    /// <summary>Tells the number of buckets; null: it is read from /proc/sys.</summary>
    public Func<long>? ReadBuckets { get; init; }

    /// <summary>How often a scan begins again in any case. One pass over millions of entries takes seconds.</summary>
    public int LeastRepeats { get; init; } = 5;

    /// <summary>How long after the first resize a scan begins again in any case: an administrator may be trying several sizes, or a
    /// script may write several, and that passes.</summary>
    public TimeSpan RepeatTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Takes the entries of a scan, one after another.</summary>
internal interface IEntrySink
{
    /// <summary>The object that the next entry is read into: a new one, or one that is used again and again.</summary>
    ConntrackEntry NextEntry();

    /// <summary>Takes the entry that was read, where it matches the filter.</summary>
    void Take(ConntrackEntry entry);

    /// <summary>Whether what is read of a table that was resized is of use, with some missing and some twice. If so it is
    /// read to its end before it is read again: in a storm of resizes no reading would get far else, and all would show the
    /// same. If not it is read again at once, and only what the last attempt shows is taken as it is.</summary>
    bool TakesInterrupted { get; }

    /// <summary>The table was resized: what was taken may come again, or will, when the table is read from its beginning.
    /// </summary>
    void Restart();
}
