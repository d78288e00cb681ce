using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Events;
using ConntrackPS.Formatting;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Pipeline;
using ConntrackPS.Terminal;

namespace ConntrackPS.Commands;

/// <summary>Counts entries, packets and bytes by group, of the table or of objects in the pipeline.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "ConntrackEntry", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackGroup))]
public sealed class MeasureConntrackEntryCommand : SelectionCommand
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private GroupOptions _options = null!;
    private GroupMeasurement _measurement = null!;
    private readonly ByNamespace<InputFilter> _filters = new();
    private EventConnections _connections = null!;
    private ulong _lost;
    private bool _hasUncountedLoss;

    /// <summary>Entries or events to count instead of the table, or objects with their properties from a file or remoting, or groups of
    /// Group-Object. Groups of this cmdlet, and parts of a tuple such as a source address as text, select entries of the table.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The properties to group by. The default is Protocol and State.</summary>
    [Parameter]
    [GroupPropertyArgument]
    [ArgumentCompleter(typeof(GroupPropertyCompleter))]
    public GroupProperty[]? GroupBy { get; set; }

    /// <summary>The prefix length for grouping by IPv4 addresses, 0 to 32. 24 makes groups of 256 addresses.</summary>
    [Parameter]
    [ValidateRange(0, 32)]
    public int Prefix { get; set; } = 32;

    /// <summary>The prefix length for grouping by IPv6 addresses, 0 to 128. 64 makes one group per subnet.</summary>
    [Parameter]
    [ValidateRange(0, 128)]
    public int PrefixIPv6 { get; set; } = 128;

    /// <summary>Returns only the first N groups.</summary>
    [Parameter]
    [Alias("First")]
    [ValidateRange(1, int.MaxValue)]
    public int? Top { get; set; }

    /// <summary>The value to sort groups by, the largest first. The default is Count.</summary>
    [Parameter]
    [GroupOrderArgument(TakesOne = true)]
    public GroupOrder SortBy { get; set; }

    /// <summary>Shows services of /etc/services instead of ports, and adds ServiceName.</summary>
    [Parameter]
    public SwitchParameter ResolveService { get; set; }

    /// <summary>Sorts the smallest first.</summary>
    [Parameter]
    public SwitchParameter Ascending { get; set; }

    /// <summary>Reads the table twice with this interval, and calculates rates: seconds, or a span such as 5m.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [DurationArgument(TakesOne = true, TakesFractions = true)]
    public TimeSpan? Interval { get; set; }

    /// <summary>The way to read the table: a dump by netlink, or a BPF program that walks the table in the kernel (Bpf), which is several
    /// times faster for a large table. Auto, the default, takes the walk from 100,000 entries on, if the kernel and the process can.</summary>
    [Parameter]
    public TableEngine Engine { get; set; }

    private protected override void Begin()
    {
        if (AsksForRates && Interval is null)
            ThrowTerminatingError(ErrorFactory.NoInterval(SortBy));
        _options = BuildOptions();
        _measurement = new GroupMeasurement(_options);
        _connections = new EventConnections(_measurement.Add);
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, input => Run(() => CountInput(input), input.BaseObject));
        else if (Interval is not null || !NamesSeveral)
            RunInEach(networkNamespace => CountTable(BuildFilter(), FilterLine.Write(MyInvocation.BoundParameters), networkNamespace));
        else
            Run(CountTogether);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (ParameterSetName != InputSet)
            return;
        _connections.Complete();
        if (_hasUncountedLoss)
            WriteWarning("Events were lost and are not counted. The text doesn't say how many.");
        else if (_lost > 0)
            WriteWarning($"{Counted.Events(_lost)} {Counted.Was(_lost)} lost and {Counted.Is(_lost)} not counted.");
        if (AsksForCounters && _measurement is { Count: > 0, HasCounters: false })
            WriteWarning("The objects have no counters: accounting (nf_conntrack_acct) was off where they were recorded.");
        Run(() =>
        {
            if (_measurement.Count > 0 || _filters.IsEmpty)
                Emit(_measurement, null);
            foreach ((string? networkNamespace, IReadOnlyList<InputFilter> filters) in _filters.All)
                CountTable(InputFilter.Any(filters), null, NamespaceNamed(networkNamespace));
        });
        TellRepeated();
    }

    /// <summary>Objects with a part of a tuple select entries of the table. They cannot be mixed with objects that are counted themselves,
    /// because some entries would be counted twice.</summary>
    private protected override bool TakesFilter(InputFilter filter, PSObject input)
    {
        if (_measurement.Count > 0 || !_connections.IsEmpty)
            return false;
        _filters.Add(NamespaceName ?? InputEntry.NamespaceOf(input), filter);
        return true;
    }

    /// <summary>Objects are counted on every system. Those that choose entries of the table need the kernel, which shows when they come.
    /// </summary>
    private protected override bool NeedsKernel => !MyInvocation.ExpectingInput && !MyInvocation.BoundParameters.ContainsKey(nameof(InputObject));

    /// <summary>Objects are counted together, wherever they are from. What they select is counted in each network namespace.</summary>
    private protected override bool FollowsOrigins => false;

    private protected override bool ShowsNamespace => base.ShowsNamespace || _filters.All.Count() > 1;

    private protected override TableEngine AskedEngine => Engine;

    private bool AsksForRates => SortBy >= GroupOrder.BitsPerSecond;

    private bool AsksForCounters => Interval is not null
        || SortBy is (>= GroupOrder.TotalPackets and <= GroupOrder.ReplyBytes) or GroupOrder.BitsPerSecond or GroupOrder.PacketsPerSecond;

    /// <summary>All network namespaces share one hash table, so one walk in the kernel serves them all.</summary>
    private void CountTogether()
    {
        NetworkNamespace?[] namespaces = [.. NamespacesWithEntries()];
        ConntrackFilter filter = BuildFilter();
        string text = FilterLine.Write(MyInvocation.BoundParameters);
        if (TryCountTogether(namespaces, filter) is not { } measurements)
        {
            RunInAll(namespaces, networkNamespace => CountTable(filter, text, networkNamespace));
            return;
        }

        for (int i = 0; i < namespaces.Length; i++)
        {
            WarnAboutMissingData(namespaces[i]);
            if (AsksForCounters && MinimumBytes is null && MinimumPackets is null)
                WarnAboutMissingCounters(namespaces[i]);
            Emit(measurements[i], text);
        }
    }

    private IReadOnlyList<GroupMeasurement>? TryCountTogether(NetworkNamespace?[] namespaces, ConntrackFilter filter)
    {
        if (namespaces.Length < 2)
            return null;
        try
        {
            return GroupMeasurement.TryReadTogether(Engine, namespaces, _options, filter, WriteVerbose, Stop);
        }
        catch (Exception exception) when (exception is NetworkNamespaceException or NetlinkException)
        {
            // Each is counted by itself then, so that the error of one does not stop the others.
            return null;
        }
    }

    /// <param name="filter">The entries to count.</param>
    /// <param name="text">The filter as parameters, which the groups keep; null if it cannot be written as parameters.</param>
    /// <param name="networkNamespace">The namespace; null for the caller's own.</param>
    private void CountTable(ConntrackFilter filter, string? text, NetworkNamespace? networkNamespace)
    {
        ConntrackTable table = OpenTable(networkNamespace, filter);
        if (AsksForCounters && MinimumBytes is null && MinimumPackets is null)
            WarnAboutMissingCounters(networkNamespace);
        GroupMeasurement measurement = new(_options);
        WarnIfIncomplete(
            () =>
            {
                if (Interval is { } interval)
                    measurement.ReadTwice(table, interval, filter, Stop);
                else
                    measurement.Read(table, filter, Stop);
            },
            () => $"{Counted.Entries(measurement.Count)} counted. Some may be missing, and some may be counted twice.");
        ReportRepeats(measurement.Repeats);
        ReportEngine(table.EngineNote);
        Emit(measurement, text);
    }

    private void Emit(GroupMeasurement measurement, string? filter)
    {
        foreach (ConntrackGroup group in measurement.Groups())
        {
            group.Filter = filter is "" ? InputGroup.EveryEntry : filter;
            WriteObject(ResolveService ? ServiceView.Of(group) : InputGroup.ToObject(group));
        }

        WriteVerbose($"{Counted.Entries(measurement.Count)} counted in {Stopwatch.GetElapsedTime(_started).TotalMilliseconds:0} ms.");
    }

    private void CountInput(PSObject input)
    {
        try
        {
            if (InputGroup.TryRead(input) is { } group)
                CountGroup(group);
            else if (InputEvent.Read(input) is not { } entry)
                CountLoss(input);
            else if (_filters.IsEmpty)
                CountEntry(entry);
            else
                throw new FormatException("it is an entry, but an earlier object selects entries of the table. Count them in two commands.");
        }
        catch (FormatException exception)
        {
            Refuse(input, exception);
        }
    }

    /// <summary>A connection counts once, however many events it has, unless the events themselves are grouped.</summary>
    private void CountEntry(ConntrackEntry entry)
    {
        if (entry is ConntrackEvent happened && !_options.GroupBy.Any(property => property.Name == nameof(ConntrackEvent.EventType)))
            _connections.Add(happened);
        else
            _measurement.Add(entry);
    }

    private void CountLoss(PSObject notice)
    {
        if (InputEvent.LostCountOf(notice) is { } count)
            _lost += count;
        else
            _hasUncountedLoss = true;
    }

    private void CountGroup(InputGroup group)
    {
        if (ReadFilter(group) is { } filter
            && !TakesFilter(InputFilter.Of(group, filter), group.Source))
        {
            throw new FormatException("it is a group, but an earlier object was counted itself. Count them in two commands.");
        }
    }

    private GroupOptions BuildOptions()
    {
        GroupOptions options = new()
        {
            Prefix = Prefix,
            PrefixIPv6 = PrefixIPv6,
            SortBy = SortBy,
            Ascending = Ascending,
            Top = Top,
        };
        return GroupBy is null ? options : options with { GroupBy = [.. GroupBy.Distinct()] };
    }
}
