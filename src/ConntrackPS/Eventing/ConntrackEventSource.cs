using System.Management.Automation;
using ConntrackPS.Events;

namespace ConntrackPS.Eventing;

/// <summary>What a subscription of Register-ConntrackEvent listens to: <c>SourceObject</c> on what Get-EventSubscriber
/// returns, <c>$Sender</c> in an action.</summary>
public sealed class ConntrackEventSource
{
    private readonly EventStream _stream;
    private EventHandler<ConntrackEventArgs>? _eventArrived;
    private long _receivedCount;
    private long _lostCount;

    internal ConntrackEventSource(EventStream stream) => _stream = stream;

    /// <summary>A connection began, changed or ended.</summary>
    /// <remarks>Raised on the thread that reads. The engine's handler is left out: it would hand each event to a pool of
    /// threads, where they overtake each other, so that the engine gets them in their order from elsewhere.</remarks>
    public event EventHandler<ConntrackEventArgs>? EventArrived
    {
        add => _eventArrived += value?.Target is PSEventHandler ? null : value;
        remove => _eventArrived -= value;
    }

    /// <summary>How many events have come.</summary>
    public long ReceivedCount => Interlocked.Read(ref _receivedCount);

    /// <summary>How many events were lost, since they were not taken in time.</summary>
    public long LostCount => Interlocked.Read(ref _lostCount);

    /// <summary>What the kernel granted as receive buffer, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _stream.ReceiveBufferSize;

    /// <summary>How many events have been received and wait for PowerShell, in the backlog of -BacklogSize bytes.</summary>
    public long WaitingCount => _stream.WaitingCount;

    /// <summary>How many events waited when the backlog was full for the first time; null while it never was. What the
    /// kernel's buffer can't hold from then on is lost.</summary>
    public long? WaitingCountWhenFull => _stream.WaitingCountWhenFull;

    /// <summary>True once the kernel no longer keeps destroy events (-Reliable), since the table was nearly full.</summary>
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

/// <summary>What an engine event of Register-ConntrackEvent carries: <c>$EventArgs</c> in an action,
/// <c>SourceEventArgs</c> on what Get-Event returns.</summary>
public sealed class ConntrackEventArgs : EventArgs
{
    internal ConntrackEventArgs(ConntrackEvent[] events) => Events = events;

    internal ConntrackEventArgs(Exception exception) => Exception = exception;

    /// <summary>The event, or the first of several; null where there is an <see cref="Exception"/> instead.</summary>
    public ConntrackEvent? Event => Events is [var first, ..] ? first : null;

    /// <summary>The events in their order: one, or up to -BatchSize of them.</summary>
    public IReadOnlyList<ConntrackEvent> Events { get; } = [];

    /// <summary>Why nothing more will come from a network namespace, such as that it was deleted; or that its table could not
    /// be read whole after a loss, and is tried again (<see cref="IncompleteTableException"/>).</summary>
    public Exception? Exception { get; }
}

/// <summary>Gives the events of a stream to PowerShell's engine, on a thread of its own, until the subscription ends.</summary>
/// <remarks>The engine queues without a limit. Only so many events wait there; the rest waits in the stream and then in
/// the kernel's buffer, which counts what it can't hold.</remarks>
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
