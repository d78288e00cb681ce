using System.Management.Automation;
using ConntrackPS.Errors;

namespace ConntrackPS.Eventing;

/// <summary>The origin of the events of a subscription: <c>SourceObject</c> of the objects of Get-EventSubscriber, and <c>$Sender</c> in an
/// action. The subscription disposes it.</summary>
internal interface IEngineFeed : IDisposable
{
    /// <summary>The number of events that may wait in the engine.</summary>
    int MaximumWaiting { get; }

    /// <summary>Waits for events.</summary>
    /// <exception cref="OperationCanceledException">The feed was cancelled.</exception>
    IEnumerable<EventArgs> Take();

    /// <summary>The arguments of the last event, after an exception of <see cref="Take"/>.</summary>
    EventArgs Failed(Exception exception);

    /// <summary>Counts an event, and raises it for other listeners than the engine.</summary>
    void Arrive(EventArgs arguments);

    /// <summary>Ends the waiting. Any thread may call it.</summary>
    void Cancel();
}

/// <summary>The parameters of cmdlets that subscribe, which are those of Register-ObjectEvent.</summary>
internal interface IEngineSubscriber
{
    /// <summary>The name of the subscription.</summary>
    string SourceIdentifier { get; }

    /// <summary>The script that runs for each event; null to queue the events.</summary>
    ScriptBlock? Action { get; }

    /// <summary>Data for the action.</summary>
    PSObject? MessageData { get; }

    /// <summary>Hides the subscription.</summary>
    SwitchParameter SupportEvent { get; }

    /// <summary>Sends the events to the calling session.</summary>
    SwitchParameter Forward { get; }

    /// <summary>Ends the subscription after this number of events; 0 for never.</summary>
    int MaxTriggerCount { get; }
}

/// <summary>Subscribes the engine to a feed.</summary>
internal static class EngineSubscription
{
    /// <summary>The error of a subscription that can't be made; null if it can. Check it before the feed is opened.</summary>
    public static ErrorRecord? Refuse(IEngineSubscriber with, PSEventManager engine)
    {
        if (with.Forward && with.Action is not null)
            return ErrorFactory.ForwardWithAction();
        return engine.GetEventSubscribers(with.SourceIdentifier).Any() ? ErrorFactory.SubscriberExists(with.SourceIdentifier) : null;
    }

    /// <summary>Creates the subscription, which then owns the feed, and starts it.</summary>
    /// <param name="feed">The feed.</param>
    /// <param name="eventName">The name of its public event.</param>
    /// <param name="with">The parameters.</param>
    /// <param name="engine">The engine.</param>
    /// <returns>The job to emit; null if there is none.</returns>
    /// <exception cref="ArgumentException">The engine refused the subscription. The feed is disposed.</exception>
    public static PSEventJob? Start(IEngineFeed feed, string eventName, IEngineSubscriber with, PSEventManager engine)
    {
        PSEventSubscriber subscriber;
        try
        {
            subscriber = engine.SubscribeEvent(feed, eventName, with.SourceIdentifier, with.MessageData, with.Action, with.SupportEvent, with.Forward, with.MaxTriggerCount);
        }
        catch
        {
            feed.Dispose();
            throw;
        }

        new EventPump(feed, engine, subscriber, with.MessageData).Start();
        return with.SupportEvent ? null : subscriber.Action;
    }

    /// <summary>Passes the events of a feed to PowerShell's engine, on a separate thread, until the subscription ends.</summary>
    /// <remarks>The engine's queue has no limit. Therefore only a limited number of events wait there. The others wait in the
    /// feed.</remarks>
    private sealed class EventPump
    {
        private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);

        private readonly IEngineFeed _feed;
        private readonly PSEventManager _engine;
        private readonly PSEventSubscriber _subscriber;
        private readonly PSObject? _messageData;
        private int _waitingActions;
        private volatile bool _ended;

        public EventPump(IEngineFeed feed, PSEventManager engine, PSEventSubscriber subscriber, PSObject? messageData)
        {
            (_feed, _engine, _subscriber, _messageData) = (feed, engine, subscriber, messageData);
            _subscriber.Unsubscribed += (_, _) => End();
            if (_subscriber.Action is { } job)
                job.StateChanged += (_, change) => OnStateChanged(change.JobStateInfo.State);
        }

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
            _feed.Cancel();
        }

        private void Run()
        {
            try
            {
                while (!_ended)
                {
                    foreach (EventArgs arguments in _feed.Take())
                        Raise(arguments);
                }
            }
            catch (OperationCanceledException) when (_ended)
            {
                // Unregistered.
            }
            catch (Exception failure)
            {
                Raise(_feed.Failed(failure));
            }
            finally
            {
                _feed.Dispose();
            }
        }

        private void Raise(EventArgs arguments)
        {
            while (!_ended && CountWaiting() > _feed.MaximumWaiting)
                Thread.Sleep(LookInterval);
            if (_ended)
                return;
            _feed.Arrive(arguments);
            if (_subscriber.Action is not null)
                Interlocked.Increment(ref _waitingActions);
            _engine.GenerateEvent(
                _subscriber.SourceIdentifier, _feed, [_feed, arguments], _messageData, processInCurrentThread: true, waitForCompletionInCurrentThread: false);
        }

        private int CountWaiting() => _subscriber.Action is null ? _engine.ReceivedEvents.Count : Volatile.Read(ref _waitingActions);
    }
}
