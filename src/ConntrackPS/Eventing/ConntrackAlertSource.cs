using System.Management.Automation;
using ConntrackPS.Alerts;

namespace ConntrackPS.Eventing;

/// <summary>The source of a subscription of Register-ConntrackAlert: <c>SourceObject</c> of the objects of Get-EventSubscriber, and
/// <c>$Sender</c> in an action.</summary>
public sealed class ConntrackAlertSource : IEngineFeed
{
    private const int MaximumWaiting = 1024;

    private readonly AlertWatcher _watcher;
    private EventHandler<ConntrackAlertEventArgs>? _alertArrived;
    private long _raisedCount;

    internal ConntrackAlertSource(AlertWatcher watcher) => _watcher = watcher;

    /// <summary>A problem began, or is over.</summary>
    /// <remarks>Raised on the reading thread, but not to the engine's own handler, which would run the actions out of order.</remarks>
    public event EventHandler<ConntrackAlertEventArgs>? AlertArrived
    {
        add => _alertArrived += value?.Target is PSEventHandler ? null : value;
        remove => _alertArrived -= value;
    }

    /// <summary>The alerts that are raised now.</summary>
    public IReadOnlyList<ConntrackAlert> Active => _watcher.Active;

    /// <summary>The number of alerts that were raised.</summary>
    public long RaisedCount => Interlocked.Read(ref _raisedCount);

    int IEngineFeed.MaximumWaiting => MaximumWaiting;

    IEnumerable<EventArgs> IEngineFeed.Take() => _watcher.Take().Select(alert => new ConntrackAlertEventArgs(alert));

    EventArgs IEngineFeed.Failed(Exception exception) => new ConntrackAlertEventArgs(exception);

    void IEngineFeed.Arrive(EventArgs arguments)
    {
        ConntrackAlertEventArgs arrived = (ConntrackAlertEventArgs)arguments;
        if (arrived.Alert?.State == AlertState.Raised)
            Interlocked.Increment(ref _raisedCount);
        _alertArrived?.Invoke(this, arrived);
    }

    void IEngineFeed.Cancel() => _watcher.Cancel();

    void IDisposable.Dispose() => _watcher.Dispose();
}

/// <summary>The arguments of an engine event of Register-ConntrackAlert: <c>$EventArgs</c> in an action, and <c>SourceEventArgs</c>
/// of the objects of Get-Event.</summary>
public sealed class ConntrackAlertEventArgs : EventArgs
{
    internal ConntrackAlertEventArgs(ConntrackAlert alert) => Alert = alert;

    internal ConntrackAlertEventArgs(Exception exception) => Exception = exception;

    /// <summary>The alert; null if there is an <see cref="Exception"/> instead.</summary>
    public ConntrackAlert? Alert { get; }

    /// <summary>Why no more alerts come. Values that can't be read are an alert, and no reason to end.</summary>
    public Exception? Exception { get; }
}
