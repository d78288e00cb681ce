using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Looks the connection tracking of a network namespace over.</summary>
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
    ];

    private readonly NetworkNamespace? _networkNamespace;
    private readonly SystemRoot _root;
    private readonly TimeSpan _sample;

    /// <summary>Prepares a check; nothing is read yet.</summary>
    /// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
    /// <param name="sample">How long to count drops and the like, at least; zero for no longer than reading the table takes.</param>
    public HealthCheck(NetworkNamespace? networkNamespace, TimeSpan sample)
        : this(networkNamespace, new SystemRoot(), sample)
    {
    }

    /// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
    /// <param name="root">Where the files are that say what the next boot sets.</param>
    /// <param name="sample">How long to count drops and the like, at least.</param>
    internal HealthCheck(NetworkNamespace? networkNamespace, SystemRoot root, TimeSpan sample) =>
        (_networkNamespace, _root, _sample) = (networkNamespace, root, sample);

    /// <summary>Reads everything once, the table in one dump, and judges it.</summary>
    /// <param name="stop">Ends the reading.</param>
    /// <returns>What was found, the worst first; nothing where all is well.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="Netlink.NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public IReadOnlyList<HealthFinding> Run(CancellationToken stop = default)
    {
        HealthReader reader = new(_networkNamespace, _root);
        HealthSnapshot snapshot = reader.Read(_sample, stop);
        Unreadable = reader.Unreadable;
        Figures = FiguresOf(snapshot);
        return Judge(snapshot);
    }

    /// <summary>Settings and timeouts that the last run could not read, and judged without; null before the first.</summary>
    public IReadOnlyList<UnreadableSettingException>? Unreadable { get; private set; }

    /// <summary>The figures of the last run as a finding of severity Ok, for whoever found nothing worse; null before the first.</summary>
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

/// <summary>Looks for one kind of trouble in the figures.</summary>
internal interface IHealthRule
{
    /// <summary>What it finds; nothing where all is well, or where the figures don't tell.</summary>
    IEnumerable<HealthFinding> Check(HealthSnapshot snapshot);
}
