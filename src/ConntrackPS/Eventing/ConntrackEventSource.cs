using System.Management.Automation;
using ConntrackPS.Events;

namespace ConntrackPS.Eventing;

/// <summary>The source of a subscription of Register-ConntrackEvent: <c>SourceObject</c> of the objects of Get-EventSubscriber, and
/// <c>$Sender</c> in an action.</summary>
public sealed class ConntrackEventSource
{
    private readonly EventStream _stream;
    private EventHandler<ConntrackEventArgs>? _eventArrived;
    private long _receivedCount;
    private long _lostCount;

    internal ConntrackEventSource(EventStream stream) => _stream = stream;

    /// <summary>A connection started, changed or ended.</summary>
    /// <remarks>Raised on the reading thread, but not to the engine's own handler. That handler uses a thread pool, where events overtake
    /// each other. The engine gets the events in order from <see cref="EventPump"/>.</remarks>
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

    internal void Arrive(ConntrackEventArgs arguments)
    {
        foreach (ConntrackEvent happened in arguments.Events)
        {
            if (happened.LostCount is { } lost)
                Interlocked.Add(ref _lostCount, (long)lost);
            else
                Interlocked.Increment(ref _receivedCount);
        }

        _eventArrived?.Invoke(this, arguments);
    }
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

/// <summary>Passes the events of a stream to PowerShell's engine, on its own thread, until the subscription ends.</summary>
/// <remarks>The engine's queue has no limit. Therefore only a limited number of events wait there. The others wait in the stream, and
/// then in the kernel's buffer, which counts the events that it loses.</remarks>
internal sealed class EventPump
{
    private const int MaximumWaiting = 1024;
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);

    private readonly EventStream _stream;
    private readonly PSEventManager _engine;
    private readonly PSEventSubscriber _subscriber;
    private readonly PSObject? _messageData;
    private readonly int _batchSize;
    private int _waitingActions;
    private volatile bool _ended;

    public EventPump(EventStream stream, PSEventManager engine, PSEventSubscriber subscriber, PSObject? messageData, int batchSize)
    {
        (_stream, _engine, _subscriber, _messageData, _batchSize) = (stream, engine, subscriber, messageData, batchSize);
        _subscriber.Unsubscribed += (_, _) => End();
        if (_subscriber.Action is { } job)
            job.StateChanged += (_, change) => OnStateChanged(change.JobStateInfo.State);
    }

    private ConntrackEventSource Source => (ConntrackEventSource)_subscriber.SourceObject;

    public void Start() => new Thread(Run) { IsBackground = true, Name = "ConntrackPS engine events" }.Start();

    /// <summary>The engine sets a job to Running each time it begins the action.</summary>
    private void OnStateChanged(JobState state)
    {
        if (state == JobState.Running)
            Interlocked.Decrement(ref _waitingActions);
        else if (state is JobState.Failed or JobState.Stopped)
            End();
    }

    private void End()
    {
        _ended = true;
        _stream.Cancel();
    }

    private void Run()
    {
        try
        {
            while (!_ended)
            {
                foreach (ConntrackEvent[] batch in _stream.Take(TimeSpan.FromHours(1)).Chunk(_batchSize))
                    Raise(new ConntrackEventArgs(batch));

                while (_stream.TryTakeFailure(out Exception? failure))
                    Raise(new ConntrackEventArgs(failure));
            }
        }
        catch (OperationCanceledException) when (_ended)
        {
            // Unregistered.
        }
        catch (Exception failure)
        {
            Raise(new ConntrackEventArgs(failure));
        }
        finally
        {
            _stream.Dispose();
        }
    }

    private void Raise(ConntrackEventArgs arguments)
    {
        while (!_ended && CountWaiting() > MaximumWaiting / _batchSize)
            Thread.Sleep(LookInterval);
        if (_ended)
            return;
        Source.Arrive(arguments);
        if (_subscriber.Action is not null)
            Interlocked.Increment(ref _waitingActions);
        _engine.GenerateEvent(
            _subscriber.SourceIdentifier, Source, [Source, arguments], _messageData, processInCurrentThread: true, waitForCompletionInCurrentThread: false);
    }

    private int CountWaiting() => _subscriber.Action is null ? _engine.ReceivedEvents.Count : Volatile.Read(ref _waitingActions);
}
