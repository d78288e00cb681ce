using System.Diagnostics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Netlink;

namespace ConntrackPS.Top.Snapshots;

/// <summary>Reads one snapshot after another, and computes the traffic between them.</summary>
/// <remarks>Only one thread at a time may use it. It reuses memory. For 1M entries it holds two snapshots and two histories.</remarks>
internal sealed class SnapshotReader(ConntrackTable table) : IEntrySink
{
    private readonly ConntrackEntry _entry = new();
    private EntryHistory _before = new();
    private EntryHistory _now = new();
    private TopSnapshot _snapshot = new();
    private ConntrackFilter? _filter;
    private ConntrackFilter? _shown;
    private long _started;
    private (ulong Drops, long Time)? _counted;

    /// <summary>Reads the table.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="spare">A snapshot that is no longer shown. Its memory is reused.</param>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    public TopSnapshot Read(ConntrackFilter filter, TopSnapshot? spare, CancellationToken stop)
    {
        _snapshot = spare ?? new TopSnapshot();

        // Entries read with another filter can't be compared.
        double? seconds = ReferenceEquals(filter, _filter) ? Stopwatch.GetElapsedTime(_started).TotalSeconds : null;
        long started = Stopwatch.GetTimestamp();

        // Follows all entries that might match later, so that their traffic is known from the moment they match.
        ConntrackFilter followed = filter.SteadyPart();
        _shown = filter.IsSteady ? null : filter;
        Restart();
        (_snapshot.Filter, _snapshot.Time) = (filter, DateTime.Now);
        using IEntryScan scan = table.Scan(followed, this);
        _snapshot.Seconds = seconds;
        try
        {
            scan.ReadToEnd(stop);
        }
        catch (IncompleteListingException)
        {
            _snapshot.IsInterrupted = true;
        }

        ReadCounts();
        _snapshot.TopSources = [.. new TopGroups(_snapshot, TopGrouping.Source).Window(GroupOrder.Count, isReversed: false, 0, TopHistory.Sources)
            .Select(group => KeyValuePair.Create(group.Name, group.Count))];

        // Only now: a stopped pass can't be compared with, and neither can one that missed entries, because they would appear later with
        // their total traffic.
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
        bool isNew = _snapshot.Seconds is not null && !_before.See(entry, out packets, out bytes);
        _now.Add(entry);
        if (_shown?.Matches(entry) == false)
            return;
        _snapshot.Began += isNew ? 1 : 0;
        ref TopEntry added = ref _snapshot.Entries.Add();
        added.Take(entry);
        (added.MovedPackets, added.MovedBytes) = (packets, bytes);

        _snapshot.Totals.Add(added);
    }

    EntryParts IEntrySink.Parts => EntryParts.Id | EntryParts.Counters | TableEngines.PartsOf(_shown);

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

        // The table keeps changing. It had at least the entries that were read.
        (_snapshot.TableCount, _snapshot.TableMaximum) = (Math.Max(stat.Count ?? 0, _snapshot.Entries.Count), stat.Maximum ?? 0);

        // The counters are of the whole table, so a new filter does not interrupt them. A lower sum has wrapped around.
        (ulong drops, long now) = ((stat.Drop ?? 0) + (stat.EarlyDrop ?? 0), Stopwatch.GetTimestamp());
        if (_counted is { } before && drops >= before.Drops)
            _snapshot.DropPerSecond = (drops - before.Drops) / Stopwatch.GetElapsedTime(before.Time, now).TotalSeconds;
        _counted = (drops, now);
    }
}

/// <summary>Reads the table continuously in the background, so that a view reacts to keys while a large table is read.</summary>
/// <remarks>Only one thread may use it. It waits only for the first snapshot.</remarks>
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

    /// <summary>Requests a refresh as soon as possible.</summary>
    public void Ask() => _isAsked = true;

    /// <summary>Starts to read if the interval has passed or a refresh was requested. Restarts if the filter has changed.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="interval">The time from the start of one snapshot to the start of the next.</param>
    /// <param name="isFrozen">True to read only on request.</param>
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

    /// <summary>Returns the next snapshot in exchange for the visible one, whose memory may then be reused.</summary>
    /// <returns>False if there is none yet.</returns>
    /// <exception cref="Netlink.NetlinkException">The kernel refused to list the table.</exception>
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
            // The filter has changed meanwhile.
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
            // It was cancelled, or it failed after the view had closed.
        }

        _current.Dispose();
    }
}
