using System.Diagnostics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Netlink;

namespace ConntrackPS.Top.Snapshots;

/// <summary>Reads one snapshot after another, and what moved between them.</summary>
/// <remarks>Used by one thread at a time. Memory is used again: of 1M entries two snapshots and, with accounting, two
/// histories are held.</remarks>
internal sealed class SnapshotReader(ConntrackTable table) : IEntrySink
{
    private readonly ConntrackEntry _entry = new();
    private EntryHistory _before = new();
    private EntryHistory _now = new();
    private TopSnapshot _snapshot = new();
    private ConntrackFilter? _filter;
    private ConntrackFilter? _shown;
    private long _started;

    /// <summary>Reads the table.</summary>
    /// <param name="filter">Which entries.</param>
    /// <param name="spare">A snapshot that is no longer shown; its memory is used again.</param>
    /// <param name="stop">Ends the reading at once.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public TopSnapshot Read(ConntrackFilter filter, TopSnapshot? spare, CancellationToken stop)
    {
        _snapshot = spare ?? new TopSnapshot();

        // Under another filter the entries of before say nothing.
        double? seconds = ReferenceEquals(filter, _filter) ? Stopwatch.GetElapsedTime(_started).TotalSeconds : null;
        long started = Stopwatch.GetTimestamp();

        // All that may come to match is followed: what an entry moves is known from the moment at which it does.
        ConntrackFilter followed = filter.SteadyPart();
        _shown = filter.IsSteady ? null : filter;
        Restart();
        (_snapshot.Filter, _snapshot.Time) = (filter, DateTime.Now);
        using EntryScan scan = table.Scan(followed, this);
        using CancellationTokenRegistration registration = stop.Register(scan.Cancel);
        _snapshot.Seconds = seconds;
        try
        {
            while (scan.Read())
            {
            }
        }
        catch (IncompleteListingException)
        {
            _snapshot.IsInterrupted = true;
        }

        ReadCounts();

        // Only now: a reading that was stopped is nothing to compare with, nor one that missed entries, which would come
        // back with all that they ever moved.
        if (!_snapshot.IsInterrupted)
            (_before, _now, _filter, _started) = (_now, _before, filter, started);
        return _snapshot;
    }

    ConntrackEntry IEntrySink.NextEntry()
    {
        _entry.Reset();
        return _entry;
    }

    void IEntrySink.Take(ConntrackEntry entry)
    {
        (ulong packets, ulong bytes) = (0, 0);
        if (entry.Has(EntryFields.OriginalCounters))
        {
            if (_snapshot.Seconds is not null)
                _before.See(entry, out packets, out bytes);
            _now.Add(entry);
        }

        if (_shown?.Matches(entry) == false)
            return;
        ref TopEntry added = ref _snapshot.Entries.Add();
        added.Take(entry);
        (added.MovedPackets, added.MovedBytes) = (packets, bytes);

        _snapshot.Totals.Add(added);
    }

    bool IEntrySink.TakesInterrupted => false;

    void IEntrySink.Restart() => Restart();

    private void Restart()
    {
        double? seconds = _snapshot.Seconds;
        _snapshot.Clear();
        _snapshot.Seconds = seconds;
        _now.Clear();
    }

    private void ReadCounts()
    {
        ConntrackStat stat = ConntrackStat.Read(table.NetworkNamespace);

        // The table goes on changing: it had at least as many as were seen.
        (_snapshot.TableCount, _snapshot.TableMaximum) = (Math.Max(stat.Count ?? 0, _snapshot.Entries.Count), stat.Maximum ?? 0);
    }
}

/// <summary>Keeps reading the table in the background, so that a view answers keys while a large one is read.</summary>
/// <remarks>Used by one thread, which never waits but for the first snapshot.</remarks>
internal sealed class SnapshotLoop(SnapshotReader reader, CancellationToken stop) : IDisposable
{
    private CancellationTokenSource _current = CancellationTokenSource.CreateLinkedTokenSource(stop);
    private Task<TopSnapshot>? _reading;
    private ConntrackFilter? _filter;
    private TopSnapshot? _spare;
    private long _began;
    private bool _isAsked;

    /// <summary>Reads the first snapshot, and waits for it.</summary>
    public TopSnapshot ReadFirst(ConntrackFilter filter)
    {
        (_filter, _began) = (filter, Stopwatch.GetTimestamp());
        return reader.Read(filter, null, stop);
    }

    /// <summary>Asks for a look at the table as soon as can be.</summary>
    public void Ask() => _isAsked = true;

    /// <summary>Starts to read where it is time, or where it was asked for; begins anew where the filter is another.</summary>
    /// <param name="filter">Which entries.</param>
    /// <param name="interval">From the beginning of one snapshot to that of the next.</param>
    /// <param name="isFrozen">Whether only what was asked for is read.</param>
    public void Continue(ConntrackFilter filter, TimeSpan interval, bool isFrozen)
    {
        if (_reading is not null)
        {
            if (!ReferenceEquals(filter, _filter))
                _current.Cancel();
            return;
        }

        if (!_isAsked && (isFrozen || Stopwatch.GetElapsedTime(_began) < interval))
            return;
        (_isAsked, _filter, _began) = (false, filter, Stopwatch.GetTimestamp());
        TopSnapshot? spare = _spare;
        _spare = null;
        _reading = Task.Run(() => reader.Read(filter, spare, _current.Token), CancellationToken.None);
    }

    /// <summary>Takes the next snapshot in place of the one in view, which may then be used again.</summary>
    /// <returns>False where there is none yet.</returns>
    /// <exception cref="Netlink.NetlinkException">The kernel refused to show the table.</exception>
    public bool TryTake(ref TopSnapshot snapshot)
    {
        if (_reading is not { IsCompleted: true } done)
            return false;
        _reading = null;
        try
        {
            TopSnapshot next = done.GetAwaiter().GetResult();
            (_spare, snapshot) = (snapshot, next);
            return true;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // Another filter was set meanwhile.
            _current.Dispose();
            _current = CancellationTokenSource.CreateLinkedTokenSource(stop);
            _isAsked = true;
            return false;
        }
    }

    /// <summary>Stops reading.</summary>
    public void Dispose()
    {
        _current.Cancel();
        try
        {
            _reading?.Wait(CancellationToken.None);
        }
        catch (AggregateException)
        {
            // It was cancelled, or failed after the view had ended.
        }

        _current.Dispose();
    }
}
