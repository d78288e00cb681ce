using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Events;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>Emits the events of connections as they happen. Use it in a pipeline: foreach would collect them first.</summary>
[Cmdlet(VerbsCommon.Watch, "ConntrackEvent", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEvent), ParameterSetName = [FilterSet])]
[OutputType(typeof(ConntrackExpectationEvent), ParameterSetName = [ExpectationSet])]
public sealed partial class WatchConntrackEventCommand : FilterCommand, IDisposable
{
    private readonly List<IDisposable> _switches = [];
    private volatile EventStream? _stream;
    private bool _toldOfReliability;

    /// <summary>The kinds of events; all three unless given.</summary>
    [Parameter]
    [ValidateSet(nameof(ConntrackEventType.New), nameof(ConntrackEventType.Update), nameof(ConntrackEventType.Destroy))]
    public ConntrackEventType[] EventType { get; set; } =
        [ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy];

    /// <summary>Ends after this time: seconds, or a span such as 5m.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true)]
    public TimeSpan? TimeoutSeconds { get; set; }

    /// <summary>Ends after so many events.</summary>
    [Parameter]
    [ValidateRange(1, long.MaxValue)]
    public long? MaxEvents { get; set; }

    /// <summary>The kernel's buffer in bytes, 1,280 of which it needs for an event.</summary>
    [Parameter]
    [ValidateRange(4096, int.MaxValue / 2)]
    public int ReceiveBufferSize { get; set; } = EventOptions.DefaultReceiveBufferSize;

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

    /// <summary>Watches all network namespaces that have a name, and this one.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter AllNamespace { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(Expectation ? WatchExpectations : Watch);

    /// <inheritdoc/>
    protected override void StopProcessing()
    {
        _stream?.Cancel();
        _watcher?.Cancel();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable enabled in _switches)
            enabled.Dispose();
        _switches.Clear();
    }

    private void Watch()
    {
        NetworkNamespace[] networkNamespaces = Targets();
        foreach (NetworkNamespace? target in networkNamespaces.DefaultIfEmpty(null))
            Prepare(target);
        using EventStream stream = new(BuildOptions(), networkNamespaces);
        _stream = stream;
        WriteVerbose($"Receive buffer: {stream.ReceiveBufferSize} bytes, about {stream.ReceiveBufferSize / 1280} events.");
        long started = Environment.TickCount64;
        long count = 0;
        for (TimeSpan wait; !Stopping && (wait = Remaining(started)) > TimeSpan.Zero;)
        {
            foreach (ConntrackEvent happened in stream.Take(wait))
            {
                if (happened.EventType == ConntrackEventType.Lost)
                    WriteWarning($"{happened.LostCount} events were lost: raise -ReceiveBufferSize, or narrow the filter.");
                WriteObject(happened);
                if (happened.EventType != ConntrackEventType.Lost && ++count == MaxEvents)
                    return;
            }

            WarnOnceAboutReliability(stream);
        }
    }

    private NetworkNamespace[] Targets()
    {
        if (AllNamespace)
            return [.. NetworkNamespaceNames().Select(Linux.NetworkNamespace.Parse)];
        return Namespace() is { } single ? [single] : [];
    }

    private static IEnumerable<string> NetworkNamespaceNames() => Linux.NetworkNamespace.Names().Prepend("/proc/self/ns/net");

    private void Prepare(NetworkNamespace? target)
    {
        string name = target is null ? "" : $" in network namespace '{target}'";
        if (EnableEvent)
            _switches.Add(EventSwitch.Enable(target));
        long? setting = EventSwitch.Read(target);
        if (setting is null or 0)
            WriteWarning($"The kernel makes no events{name}: use -EnableEvent, or sysctl -w net.netfilter.nf_conntrack_events=1.");
        else if (setting == 2)
            WriteWarning($"Connections that began before anybody listened stay silent{name} (nf_conntrack_events=2): use -EnableEvent, or sysctl -w net.netfilter.nf_conntrack_events=1.");
        WarnAboutMissingData(target);
    }

    private EventOptions BuildOptions() => new()
    {
        EventType = EventType,
        Filter = BuildFilter(),
        ReceiveBufferSize = ReceiveBufferSize,
        IsReliable = Reliable,
        IncludeExisting = IncludeExisting,
        Resync = Resync,
    };

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
}
