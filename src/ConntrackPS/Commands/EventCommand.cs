using System.Management.Automation;
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

    /// <summary>The kernel's buffer in bytes, 640 of which it needs for an event; 8 MiB unless given.</summary>
    [Parameter]
    [ValidateRange(4096, int.MaxValue / 2)]
    public int ReceiveBufferSize { get; set; }

    /// <summary>The kernel keeps destroy events until they are taken, as long as the table has room.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Reliable { get; set; }

    /// <summary>Emits the present table first, as events of type Existing.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter IncludeExisting { get; set; }

    /// <summary>After a loss emits what the table shows to have changed, as derived New and Destroy events.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Resync { get; set; }

    /// <summary>Turns nf_conntrack_events on for all connections while this runs, and puts it back.</summary>
    [Parameter]
    public SwitchParameter EnableEvent { get; set; }

    /// <summary>Watches this network namespace and all that have a name, those that get one later included.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter AllNamespace { get; set; }

    /// <summary>Starts listening, and says what will not be heard.</summary>
    private protected EventStream Listen()
    {
        if (AllNamespace && NetworkNamespace is not null)
            ThrowTerminatingError(Errors.ErrorFactory.AllOrOneNamespace());
        NetworkNamespace?[] targets = [.. Namespaces()];
        if (targets.Length == 0)
            ThrowTerminatingError(Errors.ErrorFactory.NoNamespaceMatches(NetworkNamespace!));
        EventStream stream = new(BuildOptions(), [.. targets.OfType<NetworkNamespace>()]);
        WriteVerbose($"Receive buffer: {stream.ReceiveBufferSize} bytes, about {stream.ReceiveBufferSize / 1280} events.");
        foreach (NetworkNamespace? target in targets)
        {
            WarnAboutSilence(target);
            WarnAboutMissingData(target);
        }

        return stream;
    }

    private EventOptions BuildOptions() => new()
    {
        EventType = EventType,
        Filter = BuildFilter(),
        ReceiveBufferSize = ReceiveBufferSize == 0 ? null : ReceiveBufferSize,
        IsReliable = Reliable,
        IncludeExisting = IncludeExisting,
        Resync = Resync,
        EnableEvents = EnableEvent,
        FollowNamespaces = AllNamespace,
    };

    /// <summary>Says so where the kernel makes no events, or not for connections that are there already.</summary>
    private protected void WarnAboutSilence(NetworkNamespace? target)
    {
        string name = target is null ? "" : $" in network namespace '{target}'";
        const string Remedy = "use -EnableEvent, or sysctl -w net.netfilter.nf_conntrack_events=1.";
        long setting = EventSwitch.Read(target);
        if (setting == 0)
            WriteWarning($"The kernel makes no events{name}: {Remedy}");
        else if (setting == 2)
            WriteWarning($"Connections that began before anybody listened stay silent{name} (nf_conntrack_events=2): {Remedy}");
    }
}
