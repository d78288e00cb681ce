using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Errors;
using ConntrackPS.Events;
using ConntrackPS.Expectations.Events;

namespace ConntrackPS.Commands;

/// <summary>Emits the events of connections as they happen. Use it in a pipeline: foreach would collect them first.</summary>
[Cmdlet(VerbsCommon.Watch, "ConntrackEvent", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEvent), ParameterSetName = [FilterSet])]
[OutputType(typeof(ConntrackExpectationEvent), ParameterSetName = [ExpectationSet])]
public sealed class WatchConntrackEventCommand : EventCommand
{
    private const string ExpectationSet = "Expectation";

    private bool _toldOfReliability;
    private bool _toldOfBacklog;

    /// <summary>Ends after this time: seconds, or a span such as 5m.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true)]
    public TimeSpan? TimeoutSeconds { get; set; }

    /// <summary>Ends after so many events.</summary>
    [Parameter]
    [ValidateRange(1, long.MaxValue)]
    public long? MaxEvents { get; set; }

    /// <summary>Emits the events of expected connections instead: New when one is announced, Destroy when it came, its
    /// time was up or it was deleted.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ExpectationSet)]
    public SwitchParameter Expectation { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(Expectation ? WatchExpectations : Watch);

    private void Watch()
    {
        using EventStream? stream = Listen();
        if (stream is null)
            return;
        using CancellationTokenRegistration registration = Stop.Register(stream.Cancel);
        EmitUntilDone(stream.Take, () => stream.WaitingCountWhenFull, ", or narrow the filter", () =>
        {
            while (stream.TryTakeFailure(out Exception? failure))
                WriteError(ErrorFactory.From(failure));
            WarnOnceAboutReliability(stream);
        });
    }

    /// <summary>Emits events until the time is up, or there were enough.</summary>
    /// <param name="take">Waits for events.</param>
    /// <param name="waitingWhenFull">How many waited when the backlog was full for the first time; null while it never was.</param>
    /// <param name="otherRemedy">What else helps against losses than a larger buffer.</param>
    /// <param name="afterEach">What is to be done each time events were emitted, or none came.</param>
    private void EmitUntilDone<T>(
        Func<TimeSpan, IReadOnlyList<T>> take, Func<long?> waitingWhenFull, string otherRemedy, Action? afterEach = null)
        where T : INumberedEvent
    {
        long started = Environment.TickCount64;
        long count = 0;
        for (TimeSpan wait; !Stopping && (wait = Remaining(started)) > TimeSpan.Zero;)
        {
            IReadOnlyList<T> taken = take(wait);
            WarnOnceAboutBacklog(waitingWhenFull(), otherRemedy);
            foreach (T happened in taken)
            {
                if (happened.LostCount is { } lost)
                    WriteWarning($"{lost} events were lost: raise {(_toldOfBacklog ? "-BacklogSize" : "-ReceiveBufferSize")}{otherRemedy}.");
                WriteObject(happened);
                if (happened.LostCount is null && ++count == MaxEvents)
                    return;
            }

            afterEach?.Invoke();
        }
    }

    private void WarnOnceAboutBacklog(long? waiting, string otherRemedy)
    {
        if (_toldOfBacklog || waiting is null)
            return;
        _toldOfBacklog = true;
        WriteWarning(
            $"The backlog of {BacklogSize} bytes is full: {waiting} events wait. What the kernel's buffer can't hold beside them is lost: "
            + $"take events faster, raise -BacklogSize{otherRemedy}.");
    }

    /// <summary>How long to wait next; without a limit just long, and then again.</summary>
    private TimeSpan Remaining(long started) => TimeoutSeconds is { } limit
        ? limit - TimeSpan.FromMilliseconds(Environment.TickCount64 - started)
        : TimeSpan.FromHours(1);

    private void WarnOnceAboutReliability(EventStream stream)
    {
        if (_toldOfReliability || !stream.GaveUpReliability)
            return;
        _toldOfReliability = true;
        WriteWarning("The table was nearly full of ended connections whose events nobody took: destroy events may be lost from now on.");
    }

    private void WatchExpectations()
    {
        Linux.NetworkNamespace? target = OneNamespace();
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
