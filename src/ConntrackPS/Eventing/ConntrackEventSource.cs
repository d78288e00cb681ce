using System.Management.Automation;
using ConntrackPS.Events;

namespace ConntrackPS.Eventing;

/// <summary>The source of a subscription of Register-ConntrackEvent: <c>SourceObject</c> of the objects of Get-EventSubscriber, and
/// <c>$Sender</c> in an action.</summary>
public sealed class ConntrackEventSource : IEngineFeed
{
    private const int MaximumWaiting = 1024;

    private readonly EventStream _stream;
    private readonly int _batchSize;
    private EventHandler<ConntrackEventArgs>? _eventArrived;
    private long _receivedCount;
    private long _lostCount;

    internal ConntrackEventSource(EventStream stream, int batchSize) => (_stream, _batchSize) = (stream, batchSize);

    /// <summary>A connection started, changed or ended.</summary>
    /// <remarks>Raised on the reading thread, but not to the engine's own handler. That handler uses a thread pool, where events overtake
    /// each other. The engine gets the events in order from <see cref="EngineSubscription"/>.</remarks>
    public event EventHandler<ConntrackEventArgs>? EventArrived
    {
        add => _eventArrived += value?.Target is PSEventHandler ? null : value;
        remove => _eventArrived -= value;
    }

    /// <summary>The number of received events.</summary>
    public long ReceivedCount => Interlocked.Read(ref _receivedCount);

    /// <summary>The number of lost events, which were not read in time.</summary>
    public long LostCount => Interlocked.Read(ref _lostCount);

    /// <summary>The size in bytes of the receive buffer that the kernel granted. The kernel doubles it for its own overhead.</summary>
    public int ReceiveBufferSize => _stream.ReceiveBufferSize;

    /// <summary>The number of received events that wait for PowerShell, in the backlog of -BacklogSize bytes.</summary>
    public long WaitingCount => _stream.WaitingCount;

    /// <summary>The number of waiting events when the backlog was full for the first time; null if it never was. After that, events
    /// that do not fit into the kernel's buffer are lost.</summary>
    public long? WaitingCountWhenFull => _stream.WaitingCountWhenFull;

    /// <summary>True after the kernel stopped keeping destroy events (-Reliable), because the table was nearly full.</summary>
    public bool GaveUpReliability => _stream.GaveUpReliability;

    int IEngineFeed.MaximumWaiting => MaximumWaiting / _batchSize;

    IEnumerable<EventArgs> IEngineFeed.Take()
    {
        foreach (ConntrackEvent[] batch in _stream.Take(TimeSpan.FromHours(1)).Chunk(_batchSize))
            yield return new ConntrackEventArgs(batch);

        while (_stream.TryTakeFailure(out Exception? failure))
            yield return new ConntrackEventArgs(failure);
    }

    EventArgs IEngineFeed.Failed(Exception exception) => new ConntrackEventArgs(exception);

    void IEngineFeed.Arrive(EventArgs arguments)
    {
        ConntrackEventArgs arrived = (ConntrackEventArgs)arguments;
        foreach (ConntrackEvent happened in arrived.Events)
        {
            if (happened.LostCount is { } lost)
                Interlocked.Add(ref _lostCount, (long)lost);
            else
                Interlocked.Increment(ref _receivedCount);
        }

        _eventArrived?.Invoke(this, arrived);
    }

    void IEngineFeed.Cancel() => _stream.Cancel();

    void IDisposable.Dispose() => _stream.Dispose();
}

/// <summary>The arguments of an engine event of Register-ConntrackEvent: <c>$EventArgs</c> in an action, and <c>SourceEventArgs</c>
/// of the objects of Get-Event.</summary>
public sealed class ConntrackEventArgs : EventArgs
{
    internal ConntrackEventArgs(ConntrackEvent[] events) => Events = events;

    internal ConntrackEventArgs(Exception exception) => Exception = exception;

    /// <summary>The event, or the first of several; null if there is an <see cref="Exception"/> instead.</summary>
    public ConntrackEvent? Event => Events is [var first, ..] ? first : null;

    /// <summary>The events in order: one, or up to -BatchSize of them.</summary>
    public IReadOnlyList<ConntrackEvent> Events { get; } = [];

    /// <summary>Why no more events come from a network namespace, for example because it was deleted. Or that its table could not be
    /// read completely after a loss and will be read again (<see cref="IncompleteTableException"/>).</summary>
    public Exception? Exception { get; }
}
