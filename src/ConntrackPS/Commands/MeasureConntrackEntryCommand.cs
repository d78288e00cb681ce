using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Counts entries, packets and bytes by group: those of the table, or those of the pipeline.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "ConntrackEntry", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackGroup))]
public sealed class MeasureConntrackEntryCommand : SelectionCommand
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private GroupOptions _options = null!;
    private GroupMeasurement _measurement = null!;
    private ulong _lost;

    /// <summary>Entries or events to count instead of the table: live ones, or such as have kept their properties
    /// through a file or remoting.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The properties that the entries of a group have in common; Protocol and State unless given.</summary>
    [Parameter]
    [GroupPropertyArgument]
    [ArgumentCompleter(typeof(GroupPropertyCompleter))]
    public GroupProperty[]? GroupBy { get; set; }

    /// <summary>Leading bits of IPv4 addresses that count, 0 to 32; 24 makes groups of 256 addresses.</summary>
    [Parameter]
    [ValidateRange(0, 32)]
    public int Prefix { get; set; } = 32;

    /// <summary>Leading bits of IPv6 addresses that count, 0 to 128; 64 makes groups of subnets.</summary>
    [Parameter]
    [ValidateRange(0, 128)]
    public int PrefixIPv6 { get; set; } = 128;

    /// <summary>Only the first so many groups.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? Top { get; set; }

    /// <summary>What the groups are sorted by, the largest first; Count unless given.</summary>
    [Parameter]
    [GroupOrderArgument(TakesOne = true)]
    public GroupOrder SortBy { get; set; }

    /// <summary>The smallest first.</summary>
    [Parameter]
    public SwitchParameter Ascending { get; set; }

    /// <summary>Reads the table twice, so long apart, and tells rates: seconds, or a span such as 5m.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [DurationArgument(TakesOne = true, TakesFractions = true)]
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
            WriteWarning($"{_lost} events were lost before they could be counted.");
        if (AsksForCounters && _measurement is { Count: > 0, HasCounters: false })
            WriteWarning("The objects have no counters, since accounting was off where they come from (nf_conntrack_acct).");
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
            () => $"{measurement.Count} entries were counted, of which some may be missing and some counted twice.");
        ReportRepeats(measurement.Repeats);
        Emit(measurement);
    }

    private void Emit(GroupMeasurement measurement)
    {
        foreach (ConntrackGroup group in measurement.Groups())
            WriteObject(InputGroup.ToObject(group));
        WriteVerbose($"{measurement.Count} entries counted in {Stopwatch.GetElapsedTime(_started).TotalMilliseconds:0} ms.");
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
