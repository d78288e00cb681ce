using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Terminal;

/// <summary>Runs a live view on the terminal: reads keys and the table, and draws frames.</summary>
internal sealed class LiveView : IDisposable
{
    /// <summary>The interval at which keys are read.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly SnapshotLoop _loop;
    private readonly TableActions _actions;
    private readonly BackgroundNames _names = new();
    private readonly TopHistory _history = new();
    private readonly CancellationToken _stop;
    private TopView _view;
    private Task<string>? _deletion;
    private bool _isOver;

    /// <param name="table">The table.</param>
    /// <param name="view">The first state of the view.</param>
    /// <param name="actions">The actions of keys on the table.</param>
    /// <param name="stop">Ends the view.</param>
    public LiveView(ConntrackTable table, TopView view, TableActions actions, CancellationToken stop)
    {
        (_view, _actions, _stop) = (view, actions, stop);
        _loop = new SnapshotLoop(new SnapshotReader(table), stop);
    }

    /// <summary>Shows the table until the user quits.</summary>
    /// <exception cref="Netlink.NetlinkException">The kernel refused to show the table.</exception>
    public void Run()
    {
        // Read before the screen changes, so that a refusal is an ordinary error.
        TopSnapshot snapshot = _loop.ReadFirst(_view.Filter.Combined);
        _history.Add(snapshot);
        using TerminalScreen screen = new();
        object drawn = new();
        (int Width, int Height) size = default;
        TopFrame frame = new();
        while (!_isOver && !_stop.IsCancellationRequested)
        {
            if (_loop.TryTake(ref snapshot))
            {
                _history.Add(snapshot);
                if (_view.Pane == TopPane.Detail)
                    RefreshDetail();
            }

            TakeDeletion();
            (int width, int height) = (TerminalScreen.Width, TerminalScreen.Height);
            (TopView, TopSnapshot, int, int, int) seen = (_view, snapshot, width, height, _names.Version);
            if (!drawn.Equals(seen))
            {
                frame = TopScreen.Draw(snapshot, _view, width, height, _names, ServiceNames.System, _history);
                screen.Write(AnsiRenderer.Render(frame, _view.HasColour), clear: (width, height) != size);
                (drawn, size) = (seen, (width, height));
            }

            if (TerminalKeys.TryRead(out TopKey key))
                (drawn, size) = Press(key, frame) ? (new object(), default) : (drawn, size);
            else
                _stop.WaitHandle.WaitOne(Tick);
            _loop.Continue(_view.Filter.Combined, _view.Interval, _view.IsFrozen);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _loop.Dispose();
        _names.Dispose();
    }

    /// <returns>True if the whole screen must be drawn again.</returns>
    private bool Press(TopKey key, TopFrame frame)
    {
        (TopView before, (_view, TopRequest? request)) = (_view, TopControl.Press(_view, key, frame));
        switch (request)
        {
            case TopRequest.Quit:
                _isOver = true;
                break;
            case TopRequest.Refresh:
                _loop.Ask();
                break;
            case TopRequest.SetFilter wanted:
                SetFilter(wanted.Text);
                break;
            case TopRequest.DeleteEntry entry:
                Report(() => _actions.Delete(entry.Key));
                break;
            case TopRequest.DeleteMany many when _deletion is null:
                _view = _view with { Message = $"Deleting {many.What} ..." };
                _deletion = Task.Run(() => _actions.Delete(many.Filter, many.What, _stop), CancellationToken.None);
                break;
        }

        if (_view.Pane == TopPane.Detail && before.Pane != TopPane.Detail)
            RefreshDetail();
        return request is TopRequest.Redraw;
    }

    private void RefreshDetail() => _view = _view with { Detail = _actions.Detail(_view.DetailOf) };

    private void SetFilter(string text)
    {
        try
        {
            TopFilter filter = _view.Filter with { Text = text, Asked = FilterLine.Parse(text) };
            _view = _view with { Filter = filter, Selected = 0, Offset = 0 };
            _loop.Ask();
        }
        catch (FormatException exception)
        {
            _view = _view with { Message = exception.Message };
        }
    }

    private void TakeDeletion()
    {
        if (_deletion is not { IsCompleted: true } done)
            return;
        _deletion = null;
        Report(() => done.GetAwaiter().GetResult());
    }

    /// <summary>Runs an action on the table and shows its result. The view continues after an error too.</summary>
    private void Report(Func<string> action)
    {
        try
        {
            string message = action();
            _view = _view with { Message = message };
            _loop.Ask();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _view = _view with { Message = exception.Message };
        }
    }
}

/// <summary>The actions of a live view on the table. Each returns its result as a line of text.</summary>
internal sealed class TableActions(ConntrackTable table, bool isWhatIf)
{
    /// <summary>All current values of an entry; null if it no longer exists.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Detail(EntryKey key) =>
        table.Find(key) is { } entry ? EntryDetail.Of(entry) : null;

    /// <summary>Deletes one entry, by its tuple, zone and id.</summary>
    public string Delete(EntryKey key)
    {
        if (isWhatIf)
            return $"What if: {key.Original} would be deleted.";
        using EntryDeleter deleter = table.CreateDeleter();
        deleter.Add(key, key);
        deleter.Flush();
        if (deleter.TakeResults() is [{ Failure: { } failure }])
            return failure.Message;
        return deleter.AlreadyGone > 0 ? $"{key.Original} is already gone." : $"Deleted {key.Original}.";
    }

    /// <summary>Deletes the entries of a filter.</summary>
    public string Delete(ConntrackFilter filter, string what, CancellationToken stop)
    {
        if (isWhatIf)
            return $"What if: {what} would be deleted.";
        string? firstFailure = null;
        string left = "";
        DeleteSummary sum;
        try
        {
            sum = table.Delete(filter, result => firstFailure ??= result.Failure?.Message, stop: stop);
        }
        catch (IncompleteDeletionException exception)
        {
            (sum, left) = (exception.Summary, " Others may remain: the hash table keeps being resized.");
        }

        string deleted = string.Create(CultureInfo.InvariantCulture, $"{(sum.IsEstimate ? "About " : "")}{sum.Deleted:N0} deleted");
        return (firstFailure is null ? deleted + "." : $"{deleted}, {sum.Failed} failed: {firstFailure}") + left;
    }
}
