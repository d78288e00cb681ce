using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Metrics;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>Writes the fill of the table, the kernel's counters, entries by protocol and state, and the findings of the health check for
/// a monitoring system: Prometheus, OpenMetrics or InfluxDB.</summary>
[Cmdlet(VerbsData.Export, "ConntrackMetric", SupportsShouldProcess = true, DefaultParameterSetName = AllSet)]
[OutputType(typeof(string))]
public sealed class ExportConntrackMetricCommand : ConntrackCommand
{
    private const string AllSet = "All";
    private const string StatisticsSet = "Statistics";

    private readonly List<MetricFailure> _failures = [];

    /// <summary>The file to write, instead of lines in the pipeline. It is replaced at once, so that a reader never sees a part of it, and
    /// all users may read it. Its folder must exist.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>The text format. The default is Prometheus, which is for the textfile collector of node_exporter.</summary>
    [Parameter]
    public MetricFormat Format { get; set; }

    /// <summary>Writes the counters of each processor, with the label cpu, instead of their sums.</summary>
    [Parameter]
    public SwitchParameter PerCpu { get; set; }

    /// <summary>Also writes the number of entries of the sources that have the most: up to this number of sources.</summary>
    [Parameter(ParameterSetName = AllSet)]
    [ValidateRange(1, 1000)]
    public int TopSource { get; set; }

    /// <summary>The time in which the health check counts drops and similar: seconds, or a span such as 1m, up to 1h. The default is
    /// 1 second.</summary>
    [Parameter(ParameterSetName = AllSet)]
    [DurationArgument(TakesOne = true, Maximum = 3600, TakesFractions = true)]
    public TimeSpan SampleTime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Writes only the fill and the counters, which need no privilege and no listing of the table.</summary>
    [Parameter(Mandatory = true, ParameterSetName = StatisticsSet)]
    public SwitchParameter StatisticsOnly { get; set; }

    /// <inheritdoc/>
    private protected override bool ShowsNamespace => false;

    /// <inheritdoc/>
    private protected override void Begin() => RefuseInput("Export-ConntrackMetric -NetworkNamespace NAME");

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        if (Read() is not { } lines)
            return;
        if (Path is null)
            lines.ToList().ForEach(WriteObject);
        else
            WriteFile(GetUnresolvedProviderPathFromPSPath(Path), lines);

        // Last, so that -ErrorAction Stop doesn't prevent the file that shows the failure.
        foreach (MetricFailure failure in _failures)
            WriteError(ErrorFactory.From(failure.Cause, failure.Namespace));
    });

    /// <returns>Null if there is nothing to write: the command was stopped, or no namespace that the user named exists.</returns>
    private IReadOnlyList<string>? Read()
    {
        MetricReader reader = new(new MetricOptions { PerCpu = PerCpu, TopSource = TopSource, StatisticsOnly = StatisticsOnly, Sample = SampleTime });
        bool isRead = false;
        foreach (NetworkNamespace? target in Namespaces())
        {
            isRead = true;
            if (Stopping)
                return null;
            _failures.AddRange(reader.Read(target, Stop));
        }

        // A pattern may match nothing for a time. The metrics of namespaces that are gone must end then.
        return isRead || NetworkNamespace!.All(WildcardPattern.ContainsWildcardCharacters) ? reader.Write(Format) : null;
    }

    private void WriteFile(string path, IReadOnlyList<string> lines)
    {
        if (!ShouldProcess(path, "Write metrics"))
            return;
        try
        {
            AtomicFile.Put(path, string.Join('\n', lines) + '\n', isForAll: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            ThrowTerminatingError(ErrorFactory.FileNotWritten(path, exception));
        }
    }
}
