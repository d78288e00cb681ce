using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis;
using ConntrackPS.Errors;
using ConntrackPS.Eventing;
using ConntrackPS.Events;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Formatting;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>The base class of cmdlets that listen to events.</summary>
public abstract class EventCommand : SelectionCommand
{
    private readonly ByNamespace<InputFilter> _filters = new();

    /// <summary>The connections to watch, instead of filter parameters: entries, parts of a tuple such as a source address as text or an
    /// object with only a SourceAddress, and groups of Measure-ConntrackEntry or Group-Object. Events that match any of them are
    /// emitted.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The types of events. The default is all three.</summary>
    [Parameter]
    [ValidateSet(nameof(ConntrackEventType.New), nameof(ConntrackEventType.Update), nameof(ConntrackEventType.Destroy))]
    public ConntrackEventType[] EventType { get; set; } =
        [ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy];

    /// <summary>The size of the kernel's buffer in bytes. An event needs 640 bytes. The default is 64 MiB, or the allowed
    /// maximum.</summary>
    [Parameter]
    [ValidateRange(4096, int.MaxValue / 2)]
    public int ReceiveBufferSize { get; set; }

    /// <summary>The memory in bytes for received events until they are emitted. The default is 64 MiB, enough for about a
    /// million events of a burst.</summary>
    [Parameter]
    [ValidateRange(65536, long.MaxValue)]
    public long BacklogSize { get; set; } = EventOptions.DefaultBacklogSize;

    /// <summary>Makes the kernel keep destroy events until they are delivered, as long as the table has space.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Parameter(ParameterSetName = InputSet)]
    public SwitchParameter Reliable { get; set; }

    /// <summary>Emits the current table first, as events of type Existing.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Parameter(ParameterSetName = InputSet)]
    public SwitchParameter IncludeExisting { get; set; }

    /// <summary>After a loss, compares the table with the events, and emits the changes as derived New, Update and
    /// Destroy events.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Parameter(ParameterSetName = InputSet)]
    public SwitchParameter Resync { get; set; }

    /// <summary>Turns nf_conntrack_events on (1) while this runs, and restores it afterwards. Connections opened before
    /// produce no events.</summary>
    [Parameter]
    public SwitchParameter EnableEvent { get; set; }

    /// <summary>Watches this network namespace and all named ones, also those that are created later.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Parameter(ParameterSetName = InputSet)]
    public SwitchParameter AllNamespace { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, input => Run(() => TakeAsFilter(input), input.BaseObject));
    }

    private protected override bool ShowsNamespace => AllNamespace || base.ShowsNamespace || (NetworkNamespace is null && _filters.All.Count() > 1);

    /// <summary>False if a pipeline brought nothing to watch. That is not everything.</summary>
    private protected bool HasSomethingToWatch => !_filters.IsEmpty || !(MyInvocation.ExpectingInput || ParameterSetName == InputSet);

    private protected override bool TakesFilter(InputFilter filter, PSObject input)
    {
        _filters.Add(NetworkNamespace is null && !AllNamespace ? InputEntry.NamespaceOf(input) : null, filter);
        return true;
    }

    /// <summary>Starts listening, and warns about events that the kernel will not send.</summary>
    /// <returns>Null if none of the namespaces exists. The errors have been written then.</returns>
    private protected EventStream? Listen()
    {
        if (AllNamespace && NetworkNamespace is not null)
            ThrowTerminatingError(ErrorFactory.AllOrOneNamespace());
        NetworkNamespace?[] targets = NetworkNamespace is null && !AllNamespace && !_filters.IsEmpty
            ? [.. _filters.All.Select(each => NamespaceNamed(each.NetworkNamespace))]
            : [.. Namespaces()];
        if (targets.Length == 0)
        {
            string[] patterns = [.. NetworkNamespace!.Where(WildcardPattern.ContainsWildcardCharacters)];
            if (patterns.Length > 0)
                WriteError(ErrorFactory.NoNamespaceMatches(patterns));
            return null;
        }

        string?[] warnings = [.. targets.Select(FindMissingEvents)];
        EventStream stream = targets is [null] ? new(BuildOptions()) : new(targets, BuildOptions());
        try
        {
            TellOfBuffers(stream.ReceiveBufferSize);
            WarnAboutMissingEvents(warnings);
            foreach (NetworkNamespace? target in targets)
                WarnAboutMissingData(target);

            return stream;
        }
        catch
        {
            // After Ctrl+C or -WarningAction Stop nothing else would dispose the stream.
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Reports the size of the receive buffer that the kernel granted, and of the backlog behind it.</summary>
    private protected void TellOfBuffers(int receiveBufferSize) => WriteVerbose(
        $"Receive buffer: {receiveBufferSize} bytes, about {Counted.Events(receiveBufferSize / EventOptions.BytesPerWaitingEvent)}. "
        + $"Backlog: up to {BacklogSize} bytes.");

    private EventOptions BuildOptions() => new()
    {
        EventType = EventType,
        Filter = _filters.IsEmpty ? BuildFilter() : InputFilter.Any([.. _filters.All.SelectMany(each => each.Items)]),
        FilterIn = FilterIn(),
        ReceiveBufferSize = ReceiveBufferSize == 0 ? null : ReceiveBufferSize,
        BacklogSize = BacklogSize,
        IsReliable = Reliable,
        IncludeExisting = IncludeExisting,
        Resync = Resync,
        EnableEvents = EnableEvent,
        FollowNamespaces = AllNamespace,
    };

    /// <summary>For objects of several network namespaces, the filters of each namespace.</summary>
    private Func<NetworkNamespace?, ConntrackFilter>? FilterIn()
    {
        if (_filters.All.Count() < 2)
            return null;
        Dictionary<string, ConntrackFilter> each = _filters.All.ToDictionary(
            its => NamespaceNamed(its.NetworkNamespace)?.Name ?? "", its => InputFilter.Any(its.Items));
        return target => each[target?.Name ?? ""];
    }

    /// <summary>A warning about the events that a namespace will not send, or null if it sends all. Call it before
    /// listening starts.</summary>
    private protected string? FindMissingEvents(NetworkNamespace? target)
    {
        long setting = EventSwitch.Read(target);
        string where = Within(target);
        if (setting == 0 && !EnableEvent)
            return $"The kernel produces no events{where} (nf_conntrack_events=0). Use -EnableEvent, or {CommandLine.TurnOn("Events", "On", target)}";
        return setting == 1 || ConntrackStat.Read(target).Count == 0
            ? null
            : $"Connections opened before a listener was running produce no events{where}, not even when they end (nf_conntrack_events={setting}). "
                + (MachineNamespace.IsSetByBoot(target) == true
                    ? $"For events of all connections from the next boot on: {CommandLine.TurnOn("Events", "On", target)} -Persist"
                    : $"For events of all new connections: {CommandLine.TurnOn("Events", "On", target)}");
    }

    /// <summary>Warns about events that the kernel will not send. Call it after listening has started, because a warning can end the command.</summary>
    private protected void WarnAboutMissingEvents(params string?[] warnings)
    {
        foreach (string warning in warnings.OfType<string>())
            WriteWarning(warning);
    }
}

/// <summary>Emits an event when a connection starts, changes or ends. Use it in a pipeline: foreach would collect all events
/// first.</summary>
[Cmdlet(VerbsCommon.Watch, "ConntrackEvent", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEvent), ParameterSetName = [FilterSet])]
[OutputType(typeof(ConntrackExpectationEvent), ParameterSetName = [ExpectationSet])]
public sealed class WatchConntrackEventCommand : EventCommand
{
    private const string ExpectationSet = "Expectation";

    private bool _toldOfReliability;
    private bool _toldOfBacklog;

    /// <summary>Stops after this time: seconds, or a span such as 5m.</summary>
    [Parameter]
    [Alias("TimeoutSeconds")]
    [DurationArgument(TakesOne = true, TakesFractions = true)]
    public TimeSpan? Timeout { get; set; }

    /// <summary>Stops after this number of events.</summary>
    [Parameter]
    [ValidateRange(1, long.MaxValue)]
    public long? MaxEvents { get; set; }

    /// <summary>Shows services of /etc/services instead of destination ports, and adds SourceService and DestinationService.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Parameter(ParameterSetName = InputSet)]
    public SwitchParameter ResolveService { get; set; }

    /// <summary>Emits the events of expectations instead: New when one is created, Destroy when its connection starts,
    /// when it expires or when it is deleted.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ExpectationSet)]
    public SwitchParameter Expectation { get; set; }

    /// <inheritdoc/>
    private protected override void Begin()
    {
        if (Expectation)
            RefuseInput("Watch-ConntrackEvent -Expectation, and choose with Where-Object");
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Expectation)
            Run(WatchExpectations);
        else if (HasSomethingToWatch)
            Run(Watch);
        TellRepeated();
    }

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

    /// <summary>Emits events until -Timeout or -MaxEvents is reached.</summary>
    /// <param name="take">Waits for events.</param>
    /// <param name="waitingWhenFull">The number of waiting events when the backlog was full for the first time; null if it never was.</param>
    /// <param name="otherRemedy">A remedy against losses besides a larger buffer.</param>
    /// <param name="afterEach">Called each time after waiting, whether or not there were events.</param>
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
                    WriteWarning($"{Counted.Events(lost)} {Counted.Was(lost)} lost: raise {(_toldOfBacklog ? "-BacklogSize" : "-ReceiveBufferSize")}{otherRemedy}.");
                WriteObject(ResolveService && happened is ConntrackEvent shown && happened.LostCount is null ? ServiceView.Of(shown) : happened);
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
            $"The backlog of {BacklogSize} bytes is full with {Counted.Events(waiting.Value)}. When the kernel's buffer is full too, events are lost: "
            + $"process events faster, raise -BacklogSize{otherRemedy}.");
    }

    /// <summary>The time to wait next; an hour if there is no -Timeout.</summary>
    private TimeSpan Remaining(long started) => Timeout is { } limit
        ? limit - TimeSpan.FromMilliseconds(Environment.TickCount64 - started)
        : TimeSpan.FromHours(1);

    private void WarnOnceAboutReliability(EventStream stream)
    {
        if (_toldOfReliability || !stream.GaveUpReliability)
            return;
        _toldOfReliability = true;
        WriteWarning("The table was nearly full of ended connections whose events were not delivered yet. From now on destroy events may be lost.");
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

/// <summary>Subscribes to the events of connections in the background, as engine events; Unregister-Event ends it.</summary>
[Cmdlet(VerbsLifecycle.Register, "ConntrackEvent", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(PSEventJob))]
public sealed class RegisterConntrackEventCommand : EventCommand, IEngineSubscriber
{
    /// <summary>The name of the subscription.</summary>
    [Parameter(Position = 100)]
    [ValidateNotNullOrEmpty]
    public string SourceIdentifier { get; set; } = Guid.NewGuid().ToString();

    /// <summary>The script that runs for each event, in which $EventArgs.Event is the event. Without it, Get-Event and
    /// Wait-Event return the events.</summary>
    [Parameter(Position = 101)]
    [ValidateNotNull]
    public ScriptBlock? Action { get; set; }

    /// <summary>Data for the action, which has it as $Event.MessageData.</summary>
    [Parameter]
    public PSObject? MessageData { get; set; }

    /// <summary>Hides the subscription, for subscriptions that support another one.</summary>
    [Parameter]
    public SwitchParameter SupportEvent { get; set; }

    /// <summary>Sends the events to the calling session, if this runs in a remote session.</summary>
    [Parameter]
    public SwitchParameter Forward { get; set; }

    /// <summary>Ends the subscription after this number of events. 0, the default, means never.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaxTriggerCount { get; set; }

    /// <summary>The maximum number of events in one engine event, in $EventArgs.Events, if several wait. PowerShell needs
    /// about half a millisecond for an engine event, and far longer while a script runs in the foreground.</summary>
    [Parameter]
    [ValidateRange(1, 512)]
    public int BatchSize { get; set; } = 1;

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (HasSomethingToWatch)
            Run(Subscribe);
        TellRepeated();
    }

    private void Subscribe()
    {
        if (EngineSubscription.Refuse(this, Events) is { } refusal)
            ThrowTerminatingError(refusal);
        if (Listen() is not { } stream)
            return;
        try
        {
            if (EngineSubscription.Start(new ConntrackEventSource(stream, BatchSize), nameof(ConntrackEventSource.EventArrived), this, Events) is { } job)
                WriteObject(job);
        }
        catch (ArgumentException refused)
        {
            ThrowTerminatingError(ErrorFactory.InvalidSubscription(refused, SourceIdentifier));
        }
    }
}
