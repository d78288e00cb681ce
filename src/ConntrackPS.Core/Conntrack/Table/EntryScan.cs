using System.Diagnostics;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>One pass over the table, one datagram at a time. The sink receives the entries that match a filter.</summary>
/// <remarks>Starts again if the table is resized during the pass, and without the kernel's part of the filter if the kernel refuses it.
/// Throws at the end if no attempt was complete, so that an incomplete listing is never taken for a complete one.</remarks>
internal sealed class EntryScan : IEntryScan
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
    private bool _isOver;
    private long _firstResize;
    private ulong _now;

    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="plan">The filter, and the kernel's part of it.</param>
    /// <param name="kind">The kernel list to read.</param>
    /// <param name="sink">Receives the entries on the caller's thread.</param>
    /// <param name="readAhead">True to receive the kernel's datagrams on another thread in parallel.</param>
    /// <param name="terms">The environment of the scan. The default is the real kernel.</param>
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

    public int Repeats { get; private set; }

    public bool Read()
    {
        if (_dump is null || _isOver)
            return false;
        bool more, isDisturbed;

        // One time per datagram: a slow consumer may need hours for the table, and the clock may be set meanwhile.
        _now = FilterTerm.Now();
        try
        {
            more = _dump.Read(_onMessage);

            // Also after the last datagram: the kernel may have walked most of the table for it, and found nothing more to send.
            isDisturbed = _resize.HasResized();
        }
        catch (IncompleteListingException)
        {
            // No current kernel detects a resize itself, but a future one may.
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
            // A plain dump has no attribute that could be invalid, so the message type itself is unknown.
            throw new ConntrackUnavailableException("This kernel has no connection tracking by netlink.", exception);
        }

        _answered = true;
        if (isDisturbed && !_wasResized)
            Spoil();
        if (!_wasResized || (more && (_isLast || _sink.TakesInterrupted)))
        {
            _isOver = !more;
            return more;
        }

        if (_isLast || (_sink.TakesInterrupted && IsTimeToGiveUp()))
            throw new IncompleteListingException(Operation, Repeats + 1);
        Repeats++;
        _wasResized = false;
        _sink.Restart();
        Restart();
        return true;
    }

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

    /// <returns>No dump if there is nothing to list.</returns>
    private (NetlinkConnection Connection, DumpReader? Dump) Start()
    {
        NetlinkConnection connection = _terms.Open(_networkNamespace);
        try
        {
            // A dump walks the hash table that all network namespaces share, so an empty namespace takes as long. The kernel counts an
            // entry from before it becomes visible until after it is removed, so a count of 0 means that there is nothing to list. The
            // other lists are always read, because not every kernel counts their entries.
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

    /// <summary>The table was resized during this attempt. The current datagram may have been filled after the resize.</summary>
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

/// <summary>The environment of a scan, and its limits for repeats after resizes.</summary>
internal sealed record ScanTerms
{
    /// <summary>The real kernel, with the default limits.</summary>
    public static readonly ScanTerms Default = new();

    /// <summary>Opens the connection, again for each repeat.</summary>
    public Func<NetworkNamespace?, NetlinkConnection> Open { get; init; } = NetlinkConnection.Open;

    /// <summary>Returns the number of entries in the connection's network namespace, or null if unknown.</summary>
    public Func<NetlinkConnection, uint?> ReadCount { get; init; } = TableCount.TryRead;

    /// <summary>Returns the number of buckets. Null means that it is read from /proc/sys.</summary>
    public Func<long>? ReadBuckets { get; init; }

    /// <summary>The number of repeats that a scan always makes. One pass over millions of entries takes seconds.</summary>
    public int LeastRepeats { get; init; } = 5;

    /// <summary>The time after the first resize during which a scan always repeats. An administrator may try several sizes, or a script may
    /// write several, but this ends soon.</summary>
    public TimeSpan RepeatTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>A pass over the table that passes matching entries to a sink, part by part.</summary>
internal interface IEntryScan : IDisposable
{
    /// <summary>The number of times that the table was resized during the scan and the scan started again.</summary>
    int Repeats { get; }

    /// <summary>Waits for the next part of the table, and passes its entries to the sink.</summary>
    /// <returns>False at the end of the table. Then the sink has received every matching entry.</returns>
    /// <exception cref="IncompleteListingException">At the end: the table was resized each time, and some entries may be
    /// missing.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    bool Read();

    /// <summary>Ends any wait. May be called from any thread.</summary>
    void Cancel();

    /// <summary>Reads the whole table.</summary>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <exception cref="IncompleteListingException">As of <see cref="Read"/>.</exception>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    void ReadToEnd(CancellationToken stop)
    {
        using CancellationTokenRegistration registration = stop.Register(Cancel);
        while (Read())
        {
        }
    }
}

/// <summary>Receives the entries of a scan one by one.</summary>
internal interface IEntrySink
{
    /// <summary>The parts of an entry that the sink looks at. A walk in the kernel reads only these.</summary>
    EntryParts Parts => EntryParts.All;

    /// <summary>The object for the next entry: a new one, or one that is reused.</summary>
    ConntrackEntry NextEntry();

    /// <summary>Receives the entry that was read, if it matches the filter.</summary>
    void Take(ConntrackEntry entry);

    /// <summary>True if entries from an interrupted pass are useful, even if some are missing and some come twice. Then a pass is read to
    /// its end before the next one starts; with continuous resizes, passes that stop early would never get far, and would all show the same
    /// entries. If false, the scan starts again immediately, and only the last attempt is read to its end.</summary>
    bool TakesInterrupted { get; }

    /// <summary>The table was resized and is read again from its beginning. Entries received so far may come again.</summary>
    void Restart();
}
