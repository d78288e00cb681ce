using System.Diagnostics;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Top.Snapshots;

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
            // It was cancelled, or failed when nobody looked any more.
        }

        _current.Dispose();
    }
}
