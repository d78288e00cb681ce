using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;
using ConntrackPS.Reporting;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Writes a report as one page of HTML: fill over time, top talkers, states, findings with remedies, changed settings, and the
/// changes since an earlier moment.</summary>
[Cmdlet(VerbsData.Export, "ConntrackReport", DefaultParameterSetName = TableSet, SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportConntrackReportCommand : ConntrackCommand
{
    private const string TableSet = "Table";
    private const string InputSet = "InputObject";
    private const string Advice = "Get-ConntrackStat -Interval 1m | Add-ConntrackHistory -Path history.csv -TopSource 5";

    private readonly HistoryRates _rates = new();
    private readonly List<ConntrackHistoryRecord> _history = [];
    private readonly List<ReportFinding> _findings = [];
    private readonly List<ReportSetting> _settings = [];
    private string _path = "";
    private TableTally? _reference;
    private TableTally _table = new(1);
    private ConntrackHistoryRecord? _present;
    private bool _isChecked;

    /// <summary>Saved objects, from a file or from ConvertFrom-ConntrackText: entries, and objects of Get-ConntrackHistory, Get-ConntrackStat,
    /// Test-ConntrackHealth, Get-ConntrackSetting and Get-ConntrackTimeout. Without them, the report shows the present state.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The file to write, such as report.html. It replaces an old one when it is complete.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Files of Add-ConntrackHistory. The report shows the fill and the losses over their time.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? History { get; set; }

    /// <summary>Shows only the latest part of the files of -History: seconds, or a span such as 1d.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true, Minimum = 1)]
    public TimeSpan? Last { get; set; }

    /// <summary>The entries of an earlier moment, such as (Import-Clixml before.clixml). The report shows what has changed since.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public PSObject[]? Reference { get; set; }

    /// <summary>The rows of the longest tables. The default is 20.</summary>
    [Parameter]
    [ValidateRange(1, 500)]
    public int Top { get; set; } = 20;

    /// <summary>The heading of the page. The default names the machine.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Title { get; set; }

    /// <summary>The network namespace to report on: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter(ParameterSetName = TableSet)]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>The time to count drops and similar for the findings: seconds, or a span such as 1m, up to 1h. The default is 1 second.</summary>
    [Parameter(ParameterSetName = TableSet)]
    [Alias("SampleSeconds")]
    [DurationArgument(TakesOne = true, Maximum = 3600, TakesFractions = true)]
    public TimeSpan SampleTime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Does not replace an existing file.</summary>
    [Parameter]
    public SwitchParameter NoClobber { get; set; }

    /// <summary>Emits the file.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Saved objects are reported on every system.</summary>
    private protected override bool NeedsKernel => !MyInvocation.ExpectingInput && !MyInvocation.BoundParameters.ContainsKey(nameof(InputObject));

    private protected override bool FollowsOrigins => false;

    private protected override bool ShowsNamespace => false;

    /// <inheritdoc/>
    private protected override void Begin()
    {
        _path = GetUnresolvedProviderPathFromPSPath(Path);
        if (NoClobber && File.Exists(_path))
            ThrowTerminatingError(ErrorFactory.FileExists(_path));
        List<ConntrackEntry> earlier = [];
        foreach (PSObject input in Reference ?? [])
            ForEachInput(input, each => Try(each, () => earlier.Add(ReadEntry(each))));
        if (Reference is not null)
        {
            _reference = new TableTally(Top);
            earlier.ForEach(_reference.Add);
        }

        _table = new TableTally(Top, Reference is null ? null : new TableComparison(earlier));
        ReadHistory();
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, each => Try(each, () => Take(each)));
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        TellRepeated();
        bool isLive = ParameterSetName == TableSet && !MyInvocation.ExpectingInput;
        if (isLive)
            Run(ReadPresent);
        if (Stopping || !ShouldProcess(_path, "Write the report"))
            return;
        string page = HtmlReport.Write(Content(isLive));
        try
        {
            AtomicFile.Put(_path, page, isForAll: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            ThrowTerminatingError(ErrorFactory.FileNotWritten(_path, exception));
        }

        WriteVerbose($"{_path}: {Counted.Of(page.Length, "character", "characters")}, {Counted.Entries(_table.Count)}, {Counted.Of(_history.Count, "record", "records")} of history.");
        if (PassThru)
            WriteObject(new FileInfo(_path));
    }

    private ReportContent Content(bool isLive)
    {
        // A page of a history alone has no tables of entries. A page of nothing says that there is nothing.
        bool hasTable = isLive || _table.Count > 0 || _reference is not null || (_history.Count == 0 && _findings.Count == 0 && _settings.Count == 0);
        return new ReportContent
        {
            Title = Title ?? (isLive ? $"Connection tracking of {Environment.MachineName}" : "Connection tracking"),
            Origin = !isLive ? "From saved objects" : NamespaceName is { } name ? $"Network namespace {name}" : "The machine's present state",
            Top = Top,
            Present = _present ?? (_history.Count > 0 ? _history[^1] : null),
            Table = hasTable ? _table : null,
            Reference = _reference,

            // One record is no history, only a value.
            History = _history.Count > 1 ? _history : [],
            HistoryAdvice = Advice,
            Findings = _isChecked ? _findings : null,
            Settings = _settings.Count > 0 ? _settings : null,
        };
    }

    private void ReadPresent()
    {
        NetworkNamespace? target = OneNamespace();
        _present = ConntrackHistoryRecord.Of(ConntrackStat.Read(target));
        WarnIfIncomplete(() => _table.Read(new ConntrackTable(target), Stop), () => "Entries may be missing in the report.");
        HealthCheck check = new(target, new SystemRoot("/"), SampleTime);
        _findings.AddRange(check.Run(Stop).Select(finding => ToReport(new ConntrackFinding(finding))));
        if (_findings.Count == 0)
            _findings.Add(ToReport(new ConntrackFinding(check.Figures!)));
        _isChecked = true;
        _settings.AddRange(new ConntrackSettings(target).Read(TellUnreadable).Select(ReportSetting.Of));
        _settings.AddRange(new TimeoutDefaults(target).Read(TellUnreadable).Select(ReportSetting.Of));
    }

    private void ReadHistory()
    {
        HistoryRange range = new(null, null, Last);
        foreach (string file in History ?? [])
        {
            string path = GetUnresolvedProviderPathFromPSPath(file);
            HistoryReader reader = new(path);
            try
            {
                _history.AddRange(reader.Read(() => Stopping).Where(range.Contains));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                WriteError(ErrorFactory.UnreadableHistory(exception, path));
            }

            this.WarnOfDamage(reader);
        }
    }

    private void Try(PSObject input, Action work)
    {
        try
        {
            work();
        }
        catch (FormatException exception)
        {
            WriteInputError(ErrorFactory.NotForReport(input, exception), exception.Message);
        }
    }

    private void Take(PSObject input)
    {
        if (input.BaseObject is ConntrackEntry live)
        {
            _table.Add(live);
        }
        else if (InputReport.IsFinding(input))
        {
            _findings.Add(ToReport(InputFinding.Read(input)));
            _isChecked = true;
        }
        else if (InputReport.TryReadSetting(input) is { } setting)
        {
            _settings.Add(setting);
        }
        else if (InputStat.IsStat(input))
        {
            _history.Add(_rates.Complete(InputStat.Read(input)));
        }
        else
        {
            _table.Add(ReadEntry(input));
        }
    }

    private static ConntrackEntry ReadEntry(PSObject input) => input.BaseObject as ConntrackEntry ?? EntryFromProperties.Read(input);

    private static ReportFinding ToReport(ConntrackFinding finding) =>
        new(finding.Severity, finding.Name, finding.Evidence, finding.Explanation, finding.Remedy);
}
