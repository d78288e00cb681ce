using System.Management.Automation;
using ConntrackPS.Events;
using ConntrackPS.Expectations.Events;

namespace ConntrackPS.Commands;

/// <content>The events of expected connections.</content>
public sealed partial class WatchConntrackEventCommand
{
    private const string ExpectationSet = "Expectation";

    /// <summary>Emits the events of expected connections instead: New when one is announced, Destroy when it came, its
    /// time was up or it was deleted.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ExpectationSet)]
    public SwitchParameter Expectation { get; set; }

    private void WatchExpectations()
    {
        Linux.NetworkNamespace? target = Namespace();
        string? warning = FindMissingEvents(target);
        using IDisposable? enabled = EnableEvent ? EventSwitch.Enable(target) : null;
        bool isTypeGiven = MyInvocation.BoundParameters.ContainsKey(nameof(EventType));
        using ExpectationWatcher watcher = new(
            target,
            isTypeGiven ? EventType : [ConntrackEventType.New, ConntrackEventType.Destroy],
            ReceiveBufferSize == 0 ? null : ReceiveBufferSize,
            BacklogSize);
        using CancellationTokenRegistration registration = Stop.Register(watcher.Cancel);
        TellOfBuffers(watcher.ReceiveBufferSize);
        WarnAboutMissingEvents(warning);
        EmitUntilDone(watcher.Take, () => watcher.WaitingCountWhenFull, "");
    }
}
