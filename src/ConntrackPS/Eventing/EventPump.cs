using System.Management.Automation;
using ConntrackPS.Events;

namespace ConntrackPS.Eventing;

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
