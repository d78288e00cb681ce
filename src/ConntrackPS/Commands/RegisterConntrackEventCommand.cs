using System.Management.Automation;
using ConntrackPS.Errors;
using ConntrackPS.Eventing;
using ConntrackPS.Events;

namespace ConntrackPS.Commands;

/// <summary>Subscribes to the events of connections in the background, as engine events; Unregister-Event ends it.</summary>
[Cmdlet(VerbsLifecycle.Register, "ConntrackEvent", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(PSEventJob))]
public sealed class RegisterConntrackEventCommand : EventCommand
{
    /// <summary>The subscription's name.</summary>
    [Parameter(Position = 100)]
    [ValidateNotNullOrEmpty]
    public string SourceIdentifier { get; set; } = Guid.NewGuid().ToString();

    /// <summary>Runs for each event, which is $EventArgs.Event there; without it events wait for Get-Event or Wait-Event.</summary>
    [Parameter(Position = 101)]
    [ValidateNotNull]
    public ScriptBlock? Action { get; set; }

    /// <summary>Anything that the action needs; it is $Event.MessageData there.</summary>
    [Parameter]
    public PSObject? MessageData { get; set; }

    /// <summary>Hides the subscription, which serves another one.</summary>
    [Parameter]
    public SwitchParameter SupportEvent { get; set; }

    /// <summary>Sends the events to the session that called, where this runs remotely.</summary>
    [Parameter]
    public SwitchParameter Forward { get; set; }

    /// <summary>Ends after so many events; 0, the default, means never.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaxTriggerCount { get; set; }

    /// <summary>How many events at most one engine event carries, in $EventArgs.Events, where several wait: an engine event
    /// takes PowerShell about half a millisecond, and far longer while a script runs in the foreground.</summary>
    [Parameter]
    [ValidateRange(1, 512)]
    public int BatchSize { get; set; } = 1;

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(Subscribe);

    private void Subscribe()
    {
        if (Forward && Action is not null)
            ThrowTerminatingError(ErrorFactory.ForwardWithAction());
        if (Events.GetEventSubscribers(SourceIdentifier).Any())
            ThrowTerminatingError(ErrorFactory.SubscriberExists(SourceIdentifier));
        if (Listen() is not { } stream)
            return;
        PSEventSubscriber subscriber = Subscribe(stream);
        new EventPump(stream, Events, subscriber, MessageData, BatchSize).Start();
        if (Action is not null && !SupportEvent)
            WriteObject(subscriber.Action);
    }

    /// <summary>Makes the subscription, to which the stream belongs from then on.</summary>
    private PSEventSubscriber Subscribe(EventStream stream)
    {
        try
        {
            return Events.SubscribeEvent(
                new ConntrackEventSource(stream), nameof(ConntrackEventSource.EventArrived), SourceIdentifier,
                MessageData, Action, SupportEvent, Forward, MaxTriggerCount);
        }
        catch (Exception exception)
        {
            stream.Dispose();
            if (exception is ArgumentException refused)
                ThrowTerminatingError(ErrorFactory.InvalidSubscription(refused, SourceIdentifier));
            throw;
        }
    }
}
