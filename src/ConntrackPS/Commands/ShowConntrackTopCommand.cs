using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;
using ConntrackPS.Terminal;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Commands;

/// <summary>Shows the connection-tracking table live on the whole screen, where you can sort, filter, group and delete
/// entries. The key h lists all keys.</summary>
[Cmdlet(VerbsCommon.Show, "ConntrackTop", DefaultParameterSetName = FilterSet, SupportsShouldProcess = true)]
[OutputType(typeof(string))]
public sealed class ShowConntrackTopCommand : SelectionCommand
{
    private const int DefaultWidth = 120, DefaultHeight = 50;

    private readonly ByNamespace<InputFilter> _filters = new();

    /// <summary>The entries to show, instead of filter parameters: entries, parts of a tuple such as a source address as text or an object
    /// with only a SourceAddress, and groups of Measure-ConntrackEntry or Group-Object.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>The column to sort by. Amounts are sorted largest first. The default is Rate, with -Once Bytes, with -NoCounter
    /// Source. Groups are sorted by Count unless Rate, Bytes, Assured, Unreplied or SynSent is given. The names of
    /// Measure-ConntrackEntry (TotalBytes) are accepted too.</summary>
    [Parameter]
    [TopSortArgument]
    [ArgumentCompleter(typeof(TopSortCompleter))]
    public string? SortBy { get; set; }

    /// <summary>The column to sort by if entries are equal in the first.</summary>
    [Parameter]
    [TopColumnArgument]
    public TopColumn ThenBy { get; set; } = TopColumn.Source;

    /// <summary>Reverses the sort order.</summary>
    [Parameter]
    public SwitchParameter Reverse { get; set; }

    /// <summary>A row for each source, destination or port, instead of each entry. The names of Measure-ConntrackEntry
    /// (SourceAddress) are accepted too.</summary>
    [Parameter]
    [TopGroupingArgument]
    public TopGrouping GroupBy { get; set; }

    /// <summary>The time between two readings of the table: seconds, or a span such as 1m; 0.1 to 3600 seconds. The default is 1.</summary>
    [Parameter]
    [Alias("RefreshSeconds")]
    [DurationArgument(TakesOne = true, Minimum = TopLimits.LeastInterval, Maximum = (long)TopLimits.MostInterval, TakesFractions = true)]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Shows the entries that the filter excludes.</summary>
    [Parameter]
    public SwitchParameter InvertFilter { get; set; }

    /// <summary>Hides loopback connections.</summary>
    [Parameter]
    public SwitchParameter ExcludeLoopback { get; set; }

    /// <summary>Hides queries to name servers.</summary>
    [Parameter]
    public SwitchParameter ExcludeDns { get; set; }

    /// <summary>Shows host names instead of addresses, when they are resolved. It also hides queries to name servers.</summary>
    [Parameter]
    public SwitchParameter ResolveName { get; set; }

    /// <summary>Shows services of /etc/services instead of ports.</summary>
    [Parameter]
    public SwitchParameter ResolveService { get; set; }

    /// <summary>Shows the addresses after translation.</summary>
    [Parameter]
    public SwitchParameter ShowTranslation { get; set; }

    /// <summary>Hides packets, bytes and rates.</summary>
    [Parameter]
    public SwitchParameter NoCounter { get; set; }

    /// <summary>Hides the line of totals.</summary>
    [Parameter]
    public SwitchParameter NoTotal { get; set; }

    /// <summary>Uses no colours. This is the default if NO_COLOR is set or $PSStyle.OutputRendering is PlainText.</summary>
    [Parameter]
    public SwitchParameter NoColor { get; set; }

    /// <summary>Gives address columns a fixed width.</summary>
    [Parameter]
    public SwitchParameter FixedWidth { get; set; }

    /// <summary>The page to begin with: Table, or Plot for the plots of the session.</summary>
    [Parameter]
    public TopPage Page { get; set; }

    /// <summary>Writes one frame of plain text, and ends. It has no rates and no host names, because these take time.</summary>
    [Parameter]
    public SwitchParameter Once { get; set; }

    /// <summary>With -Once and -Page Plot, the time to plot: seconds, or a span such as 1m. The table is read at each -Interval. The default is
    /// 10 seconds.</summary>
    [Parameter]
    [Alias("SampleSeconds")]
    [DurationArgument(TakesOne = true, Maximum = 24 * 3600, TakesFractions = true)]
    public TimeSpan SampleTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The width of that frame in columns. The default is that of the terminal, or 120.</summary>
    [Parameter]
    [ValidateRange(TopScreen.LeastWidth, 1000)]
    public int? Width { get; set; }

    /// <summary>The height of that frame in lines. The default is that of the terminal, or 50.</summary>
    [Parameter]
    [ValidateRange(TopScreen.LeastHeight, 100000)]
    public int? Height { get; set; }

    /// <summary>The way to read the table: a dump by netlink, or a BPF program that walks the table in the kernel (Bpf), which is several
    /// times faster for a large table. Auto, the default, takes the walk from 100,000 entries on, if the kernel and the process can.</summary>
    [Parameter]
    public TableEngine Engine { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, input => Run(() => TakeAsFilter(input), input.BaseObject));
    }

    private protected override bool TakesFilter(InputFilter filter, PSObject input)
    {
        _filters.Add(NamespaceName ?? InputEntry.NamespaceOf(input), filter);
        return true;
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        TellRepeated();
        string?[] named = [.. _filters.All.Select(each => each.NetworkNamespace)];
        if (named.Length > 1)
            ThrowTerminatingError(ErrorFactory.SeveralNamespaces(MyInvocation.MyCommand.Name, [.. named.Select(name => name ?? "the caller's own")]));
        if (named is [{ } only])
            NetworkNamespace = only;

        // An empty pipeline selects nothing. It must not show everything.
        if (named.Length == 0 && (MyInvocation.ExpectingInput || ParameterSetName == InputSet))
            return;
        if (!Once && (Console.IsOutputRedirected || Console.IsInputRedirected || MyInvocation.PipelinePosition < MyInvocation.PipelineLength))
            ThrowTerminatingError(ErrorFactory.NoTerminal());
        if (SortBy is not null && Column is null && GroupBy == TopGrouping.None)
            ThrowTerminatingError(ErrorFactory.NoGroups(SortBy));
        Run(Once ? WriteOnce : Show);
    }

    /// <summary>The column; null if none was given, or if only groups have it.</summary>
    private TopColumn? Column => Enum.TryParse(SortBy, out TopColumn column) ? column : null;

    private void Show()
    {
        ConntrackTable table = OpenTable();
        using LiveView live = new(table, BuildView(), new TableActions(table, this.IsWhatIf()), Stop);
        live.Run();
    }

    private void WriteOnce()
    {
        TopView view = BuildView();
        bool isTerminal = !Console.IsOutputRedirected;
        ConntrackTable table = OpenTable();
        TopHistory history = new();
        TopSnapshot snapshot = ReadSession(new SnapshotReader(table), view, history);
        ReportEngine(table.EngineNote);
        TopFrame frame = TopScreen.Draw(
            snapshot,
            view,
            Width ?? (isTerminal ? TerminalScreen.Width : DefaultWidth),
            Height ?? (isTerminal ? TerminalScreen.Height : DefaultHeight),
            services: ServiceNames.System,
            history: history);
        foreach (string line in frame.ToText().Reverse().SkipWhile(line => line.Length == 0).Reverse())
            WriteObject(line);
    }

    /// <summary>Reads the table once, and for plots again at each interval.</summary>
    private TopSnapshot ReadSession(SnapshotReader reader, TopView view, TopHistory history)
    {
        TopSnapshot snapshot = reader.Read(view.Filter.Combined, null, Stop);
        history.Add(snapshot);
        for (TimeSpan passed = Interval; Page == TopPage.Plot && passed <= SampleTime; passed += Interval)
        {
            if (Stop.WaitHandle.WaitOne(Interval))
                Stop.ThrowIfCancellationRequested();
            snapshot = reader.Read(view.Filter.Combined, snapshot, Stop);
            history.Add(snapshot);
        }

        return snapshot;
    }

    private ConntrackTable OpenTable()
    {
        ConntrackTable table = new(OneNamespace()) { Engine = Engine };
        WarnAboutMissingData(table.NetworkNamespace);
        return table;
    }

    /// <summary>True if NO_COLOR or $PSStyle.OutputRendering turns escape sequences off.</summary>
    private bool WantsPlainText() =>
        !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        || (GetVariableValue("PSStyle") is { } style
            && PSObject.AsPSObject(style).Properties["OutputRendering"]?.Value?.ToString() == "PlainText");

    private TopView BuildView() => new()
    {
        Order = new TopOrder(Column ?? (NoCounter ? TopColumn.Source : Once ? TopColumn.Bytes : TopColumn.Rate), ThenBy, Reverse),
        Grouping = GroupBy,
        GroupOrder = SortBy is not null && Enum.TryParse(SharedNames.Amounts.GetValueOrDefault(SortBy, SortBy), out GroupOrder order)
            && GroupRows.Orders.Contains(order) ? order : GroupOrder.Count,
        IsGroupOrderReversed = Reverse,
        Interval = Interval,
        Filter = new TopFilter
        {
            Asked = _filters.IsEmpty ? BuildFilter() : InputFilter.Any([.. _filters.All.SelectMany(each => each.Items)]),
            Text = FilterLine.Write(MyInvocation.BoundParameters),
            IsInverted = InvertFilter,
            SkipsLoopback = ExcludeLoopback,
            SkipsDns = ExcludeDns || ResolveName,
        },
        FilterSyntax = FilterLine.Syntax,
        IsStill = Once,
        Pane = Page == TopPage.Plot ? TopPane.Plot : TopPane.None,
        ShowsNames = ResolveName && !Once,
        ShowsServices = ResolveService,
        ShowsTranslation = ShowTranslation,
        ShowsCounters = !NoCounter,
        ShowsTotals = !NoTotal,
        HasColour = !NoColor && !WantsPlainText(),
        HasFixedWidth = FixedWidth,
        HasUnicode = Console.OutputEncoding.CodePage == System.Text.Encoding.UTF8.CodePage,
        Namespace = NamespaceName,
    };
}
