using System.Management.Automation;
using ConntrackPS.Diagnosis;
using ConntrackPS.Errors;
using ConntrackPS.Events;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>What is the same for cmdlets that listen to events.</summary>
public abstract class EventCommand : FilterCommand
{
    /// <summary>The kinds of events; all three unless given.</summary>
    [Parameter]
    [ValidateSet(nameof(ConntrackEventType.New), nameof(ConntrackEventType.Update), nameof(ConntrackEventType.Destroy))]
    public ConntrackEventType[] EventType { get; set; } =
        [ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy];

    /// <summary>The kernel's buffer in bytes, 640 of which it needs for an event; 64 MiB unless given, or what is allowed.</summary>
    [Parameter]
    [ValidateRange(4096, int.MaxValue / 2)]
    public int ReceiveBufferSize { get; set; }

    /// <summary>The memory in bytes that received events may take until they are emitted; 64 MiB unless given, which holds about
    /// a million of a burst.</summary>
    [Parameter]
    [ValidateRange(65536, long.MaxValue)]
    public long BacklogSize { get; set; } = EventOptions.DefaultBacklogSize;

    /// <summary>The kernel keeps destroy events until they are taken, as long as the table has room.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Reliable { get; set; }

    /// <summary>Emits the present table first, as events of type Existing.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter IncludeExisting { get; set; }

    /// <summary>After a loss emits what the table shows to have changed, as derived New, Update and Destroy events.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Resync { get; set; }

    /// <summary>Turns nf_conntrack_events on (1) while this runs, and puts it back. Connections that began before stay silent.</summary>
    [Parameter]
    public SwitchParameter EnableEvent { get; set; }

    /// <summary>Watches this network namespace and all that have a name, those that get one later included.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter AllNamespace { get; set; }

    private protected override bool ShowsNamespace => AllNamespace || base.ShowsNamespace;

    /// <summary>Starts listening, and says what will not be heard.</summary>
    /// <returns>Null where none of the namespaces is there, which has been told.</returns>
    private protected EventStream? Listen()
    {
        if (AllNamespace && NetworkNamespace is not null)
            ThrowTerminatingError(Errors.ErrorFactory.AllOrOneNamespace());
        NetworkNamespace?[] targets = [.. Namespaces()];
        if (targets.Length == 0)
        {
            string[] patterns = [.. NetworkNamespace!.Where(WildcardPattern.ContainsWildcardCharacters)];
            if (patterns.Length > 0)
                WriteError(Errors.ErrorFactory.NoNamespaceMatches(patterns));
            return null;
        }

        string?[] warnings = [.. targets.Select(FindMissingEvents)];
        EventStream stream = new(BuildOptions(), [.. targets.OfType<NetworkNamespace>()]);
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
            // Ctrl+C, or -WarningAction Stop: nothing else holds the stream yet.
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Says what the kernel granted, and what waits behind it.</summary>
    private protected void TellOfBuffers(int receiveBufferSize) => WriteVerbose(
        $"Receive buffer: {receiveBufferSize} bytes, about {receiveBufferSize / EventOptions.BytesPerWaitingEvent} events. "
        + $"Backlog: up to {BacklogSize} bytes.");

    private EventOptions BuildOptions() => new()
    {
        EventType = EventType,
        Filter = BuildFilter(),
        ReceiveBufferSize = ReceiveBufferSize == 0 ? null : ReceiveBufferSize,
        BacklogSize = BacklogSize,
        IsReliable = Reliable,
        IncludeExisting = IncludeExisting,
        Resync = Resync,
        EnableEvents = EnableEvent,
        FollowNamespaces = AllNamespace,
    };

    /// <summary>A warning of the events that a namespace will not send, or null where it sends all; ask before listening begins.</summary>
    private protected string? FindMissingEvents(NetworkNamespace? target)
    {
        long setting = EventSwitch.Read(target);
        string where = target is null ? "" : $" in network namespace '{target}'";
        if (setting == 0 && !EnableEvent)
            return $"The kernel makes no events{where} (nf_conntrack_events=0): use -EnableEvent, or {CommandLine.TurnOn("Events", "On", target)}";
        return setting == 1 || ConntrackStat.Read(target).Count == 0
            ? null
            : $"Connections that began while nobody listened stay silent{where}, to their end (nf_conntrack_events={setting}). "
                + (MachineNamespace.IsSetByBoot(target) == true
                    ? $"To hear of all from the next boot on: {CommandLine.TurnOn("Events", "On", target)} -Persist"
                    : $"To hear of all that begin from then on: {CommandLine.TurnOn("Events", "On", target)}");
    }

    /// <summary>Warns of events that will not come, once listening has begun: a warning may end the command.</summary>
    private protected void WarnAboutMissingEvents(params string?[] warnings)
    {
        foreach (string warning in warnings.OfType<string>())
            WriteWarning(warning);
    }
}
