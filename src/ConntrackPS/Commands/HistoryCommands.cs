using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Appends the fill of the table and the kernel's counters to a history, a file of CSV.</summary>
[Cmdlet(VerbsCommon.Add, "ConntrackHistory", DefaultParameterSetName = TableSet, SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackHistoryRecord))]
public sealed class AddConntrackHistoryCommand : ConntrackCommand
{
    private const string TableSet = "Table";
    private const string InputSet = "InputObject";

    private HistoryWriter? _writer;
    private string _path = "";
    private long _records;

    /// <summary>Objects of Get-ConntrackStat, with or without -Interval, or of Get-ConntrackHistory, from a file or remoting too. Without
    /// them, the present values of the table are recorded once.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The file. It is created if it does not exist. Its folder must exist.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>The network namespaces whose values are recorded: names of <c>ip netns</c>, with wildcards (<c>*</c> is all that have a
    /// name), paths, or ids of processes in them. Objects of the pipeline have theirs.</summary>
    [Parameter(ParameterSetName = TableSet)]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public override string[]? NetworkNamespace { get; set; }

    /// <summary>Also records this number of sources with the most entries. For each record the table is read.</summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int TopSource { get; set; }

    /// <summary>The size from which a new file begins: bytes, or a size such as 1MB. The old one gets the name with .1. The default is
    /// 10 MB, about 70,000 records.</summary>
    [Parameter]
    [NumberArgument(long.MaxValue, TakesOne = true, Minimum = HistoryWriter.LeastSize)]
    public long MaximumSize { get; set; } = 10 << 20;

    /// <summary>The number of older files to keep. The default is 9.</summary>
    [Parameter]
    [ValidateRange(HistoryWriter.LeastKept, HistoryWriter.MostKept)]
    public int Keep { get; set; } = 9;

    /// <summary>Emits each record.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override void Begin()
    {
        _path = GetUnresolvedProviderPathFromPSPath(Path);
        if (ShouldProcess(_path, "Append to the history"))
            _writer = new HistoryWriter(_path) { MaximumSize = MaximumSize, Keep = Keep };
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, Take);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        // An empty pipeline has nothing to record.
        if (ParameterSetName == TableSet && !MyInvocation.ExpectingInput)
            RunInEach(target => Append(ConntrackHistoryRecord.Of(ConntrackStat.Read(target), ReadSources(target)), target));
        TellRepeated();
        if (_writer is { } writer)
        {
            WriteVerbose(
                $"{Counted.Of(_records, "record", "records")} written to {_path}. {Counted.Of(writer.Rotated, "file", "files")} put aside, {Counted.Of(writer.Repaired, "cut line", "cut lines")} ended.");
        }
    }

    /// <summary>The namespaces of the objects are values of the records, and change nothing.</summary>
    private protected override bool FollowsOrigins => false;

    private protected override bool ShowsNamespace => false;

    private void Take(PSObject input)
    {
        ConntrackHistoryRecord record;
        try
        {
            record = InputStat.Read(input);
        }
        catch (FormatException exception)
        {
            WriteInputError(ErrorFactory.NotAStatistic(input, exception), exception.Message);
            return;
        }

        RunOne(() => Append(TopSource == 0 ? record : record.WithSources(ReadSources(NamespaceNamed(record.Namespace))), input), record.Namespace);
    }

    private SourceCounts? ReadSources(NetworkNamespace? target)
    {
        if (TopSource == 0)
            return null;
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")], Top = TopSource });
        WarnIfIncomplete(() => measurement.Read(new ConntrackTable(target), null, Stop), () => "Sources may be missing in a record.");
        return new SourceCounts(measurement.Groups().ToDictionary(group => group.Name, group => group.Count));
    }

    /// <summary>A record that can't be written is an error, and the next one is tried: a disk that is full now may have room later.</summary>
    private void Append(ConntrackHistoryRecord record, object? source)
    {
        if (_writer is null)
            return;
        try
        {
            ConntrackHistoryRecord written = _writer.Append(record);
            _records++;
            if (PassThru)
                WriteObject(written);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            WriteInputError(ErrorFactory.FileNotWritten(_path, exception), exception.Message);
        }
    }
}

/// <summary>Reads a history of Add-ConntrackHistory: the fill of the table and the kernel's counters over time, with their rates.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackHistory", DefaultParameterSetName = RangeSet)]
[OutputType(typeof(ConntrackHistoryRecord))]
public sealed class GetConntrackHistoryCommand : ConntrackCommand
{
    private const string RangeSet = "Range";
    private const string LastSet = "Last";

    /// <summary>The file that Add-ConntrackHistory writes. The older files beside it are read too.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>The earliest time.</summary>
    [Parameter(ParameterSetName = RangeSet)]
    public DateTime? After { get; set; }

    /// <summary>The latest time.</summary>
    [Parameter(ParameterSetName = RangeSet)]
    public DateTime? Before { get; set; }

    /// <summary>The time up to now: seconds, or a span such as 1h or 7d.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LastSet)]
    [DurationArgument(TakesOne = true, Minimum = 1)]
    public TimeSpan? Last { get; set; }

    /// <summary>Emits only records of these network namespaces, by the names that they were recorded with. They may contain wildcards.
    /// </summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public override string[]? NetworkNamespace { get; set; }

    /// <summary>A history is read on every system.</summary>
    private protected override bool NeedsKernel => false;

    /// <inheritdoc/>
    private protected override void Begin() => RefuseInput("Get-ConntrackHistory -Path FILE");

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        string path = GetUnresolvedProviderPathFromPSPath(Path);
        HistoryRange range = new(After, Before, Last);
        HistoryReader reader = new(path);
        try
        {
            foreach (ConntrackHistoryRecord record in reader.Read(() => Stopping))
            {
                if (range.Contains(record) && IsNamed(record.Namespace))
                    WriteObject(record);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            WriteError(ErrorFactory.UnreadableHistory(exception, path));
        }

        this.WarnOfDamage(reader);
        WriteVerbose($"{Counted.Of(reader.Count, "record", "records")} read, {Counted.Of(reader.Damaged, "damaged line", "damaged lines")} skipped.");
    }

    private protected override bool ShowsNamespace => false;
}

/// <summary>The warning of cmdlets that read a history.</summary>
internal static class HistoryWarning
{
    /// <summary>Warns once if lines could not be read.</summary>
    public static void WarnOfDamage(this Cmdlet command, HistoryReader reader)
    {
        if (reader.FirstDamaged is { } first)
        {
            command.WriteWarning(FormattableString.Invariant(
                $"{Counted.Of(reader.Damaged, "damaged line", "damaged lines")} of the history {Counted.Was(reader.Damaged)} skipped, the first one is line {first.Line} of {first.File}."));
        }
    }
}
