using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Counts entries, packets and bytes by group, of the table or of objects in the pipeline.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "ConntrackEntry", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackGroup))]
public sealed class MeasureConntrackEntryCommand : FilterCommand
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private GroupOptions _options = null!;
    private GroupMeasurement _measurement = null!;
    private ulong _lost;

    /// <summary>Entries or events to count instead of the table, or objects with their properties from a file or remoting.</summary>
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
    [ValidateRange(1, int.MaxValue)]
    public int? Top { get; set; }

    /// <summary>The value to sort groups by, the largest first. The default is Count.</summary>
    [Parameter]
    [GroupOrderArgument(TakesOne = true)]
    public GroupOrder SortBy { get; set; }

    /// <summary>Sorts the smallest first.</summary>
    [Parameter]
    public SwitchParameter Ascending { get; set; }

    /// <summary>Reads the table twice with this interval, and calculates rates: seconds, or a span such as 5m.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [DurationArgument(TakesOne = true)]
    public TimeSpan? Interval { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (AsksForRates && Interval is null)
            ThrowTerminatingError(ErrorFactory.NoInterval(SortBy));
        _options = BuildOptions();
        _measurement = new GroupMeasurement(_options);
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            Run(CountInput, InputObject.BaseObject);
        else
            RunInEach(CountTable, needsEntries: Interval is null);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (ParameterSetName != InputSet)
            return;
        if (_lost > 0)
            WriteWarning($"{Counted.Events(_lost)} {Counted.Was(_lost)} lost and {Counted.Is(_lost)} not counted.");
        if (AsksForCounters && _measurement is { Count: > 0, HasCounters: false })
            WriteWarning("The objects have no counters: accounting (nf_conntrack_acct) was off where they were recorded.");
        Run(() => Emit(_measurement));
    }

    private bool AsksForRates => SortBy >= GroupOrder.BitsPerSecond;

    private bool AsksForCounters => Interval is not null
        || SortBy is (>= GroupOrder.TotalPackets and <= GroupOrder.ReplyBytes) or GroupOrder.BitsPerSecond or GroupOrder.PacketsPerSecond;

    private void CountTable(NetworkNamespace? networkNamespace)
    {
        ConntrackFilter filter = BuildFilter();
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
        Emit(measurement);
    }

    private void Emit(GroupMeasurement measurement)
    {
        foreach (ConntrackGroup group in measurement.Groups())
            WriteObject(InputGroup.ToObject(group));
        WriteVerbose($"{Counted.Entries(measurement.Count)} counted in {Stopwatch.GetElapsedTime(_started).TotalMilliseconds:0} ms.");
    }

    private void CountInput()
    {
        try
        {
            if (InputEvent.Read(InputObject) is { } entry)
                _measurement.Add(entry);
            else
                _lost += InputEvent.LostCountOf(InputObject);
        }
        catch (FormatException exception)
        {
            WriteError(ErrorFactory.NotAnEntry(InputObject, exception));
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
