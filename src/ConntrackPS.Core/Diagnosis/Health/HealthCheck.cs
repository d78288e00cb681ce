using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Checks the connection tracking of a network namespace for problems.</summary>
public sealed class HealthCheck
{
    private static readonly IHealthRule[] Rules =
    [
        new TableFillRule(),
        new DropRule(),
        new KernelLogRule(),
        new MaximumRule(),
        new BucketRule(),
        new ResizeRule(),
        new HalfOpenRule(),
        new UnrepliedRule(),
        new SourceShareRule(),
        new IdleEstablishedRule(),
        new InsertFailedRule(),
        new InvalidRule(),
        new PersistenceRule(),
        new HelperRule(),
        new AccountingRule(),
        new EventRule(),
        new BlockRule(),
        new TrafficRuleRule(),
    ];

    private readonly NetworkNamespace? _networkNamespace;
    private readonly SystemRoot _root;
    private readonly TimeSpan _sample;

    /// <summary>Creates a check. Nothing is read yet.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="sample">The minimum time to count drops and similar events. With zero, it is only the time needed to read the
    /// table.</param>
    public HealthCheck(NetworkNamespace? networkNamespace, TimeSpan sample)
        : this(networkNamespace, new SystemRoot(), sample)
    {
    }

    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="root">The file system with the files that configure the next boot.</param>
    /// <param name="sample">The minimum time to count drops and similar events.</param>
    internal HealthCheck(NetworkNamespace? networkNamespace, SystemRoot root, TimeSpan sample) =>
        (_networkNamespace, _root, _sample) = (networkNamespace, root, sample);

    /// <summary>The way to read the table.</summary>
    public TableEngine Engine { get; init; } = ConntrackTable.DefaultEngine;

    /// <summary>How the last run read the table, and why, as a sentence. Null before the first run.</summary>
    public string? EngineNote { get; private set; }

    /// <summary>Reads all values once, and the table in one pass, and applies the rules.</summary>
    /// <param name="stop">Stops the reading.</param>
    /// <returns>The findings, most severe first. Empty if there is no problem.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="Netlink.NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    /// <exception cref="WalkUnavailableException"><see cref="Engine"/> is Bpf, and the kernel or the process can't.</exception>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    public IReadOnlyList<HealthFinding> Run(CancellationToken stop = default) => Run(null, stop);

    /// <summary>Like <see cref="Run(CancellationToken)"/>, and passes each entry of the table on.</summary>
    /// <param name="listener">Receives each entry too; null for none.</param>
    /// <param name="stop">Stops the reading.</param>
    internal IReadOnlyList<HealthFinding> Run(IEntryListener? listener, CancellationToken stop)
    {
        HealthReader reader = new(_networkNamespace, _root, Engine, listener);
        HealthSnapshot snapshot;
        try
        {
            snapshot = reader.Read(_sample, stop);
        }
        finally
        {
            HasWholeTable = reader.HasWholeTable;
        }

        Unreadable = reader.Unreadable;
        EngineNote = reader.EngineNote;
        IncompleteListings = snapshot.IncompleteListings;
        Figures = FiguresOf(snapshot);
        return Judge(snapshot);
    }

    /// <summary>The settings and timeouts that the last run could not read and ignored. Null before the first run.</summary>
    public IReadOnlyList<UnreadableSettingException>? Unreadable { get; private set; }

    /// <summary>True if the last run listed the table completely, even if it failed later.</summary>
    internal bool HasWholeTable { get; private set; }

    /// <summary>The number of incomplete listings of the last run, or 0.</summary>
    internal int IncompleteListings { get; private set; }

    /// <summary>The values of the last run as a finding of severity Ok, for a run without worse findings. Null before the first
    /// run.</summary>
    public HealthFinding? Figures { get; private set; }

    internal static HealthFinding FiguresOf(HealthSnapshot snapshot) => snapshot.Finding(
        FindingSeverity.Ok,
        "Healthy",
        $"Entries: {(snapshot.Maximum == 0 ? Health.Figures.Of(snapshot.Count) + ", no maximum" : $"{Health.Figures.Share(snapshot.Count, snapshot.Maximum)} of nf_conntrack_max")}; "
            + $"buckets {Health.Figures.Of(snapshot.Buckets)}; packets dropped: {Count(Counter.Drop, snapshot)}; entries dropped early: {Count(Counter.EarlyDrop, snapshot)}; "
            + FormattableString.Invariant($"not inserted: {Count(Counter.InsertFailed, snapshot)}; invalid: {Count(Counter.Invalid, snapshot)}, in {snapshot.Sample.TotalSeconds:0.#} s."),
        "Nothing is wrong.");

    private static string Count(Counter counter, HealthSnapshot snapshot) =>
        snapshot.Counted[counter] is { } count ? Health.Figures.Of((long)count) : "not counted";

    internal static IReadOnlyList<HealthFinding> Judge(HealthSnapshot snapshot) =>
        [.. Rules.SelectMany(rule => rule.Check(snapshot)).OrderByDescending(finding => finding.Severity)];
}

/// <summary>Checks the values for one kind of problem.</summary>
internal interface IHealthRule
{
    /// <summary>The findings. Empty if there is no problem, or the values are insufficient.</summary>
    IEnumerable<HealthFinding> Check(HealthSnapshot snapshot);
}
