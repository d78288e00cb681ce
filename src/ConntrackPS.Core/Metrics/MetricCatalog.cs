using ConntrackPS.Diagnosis;
using static ConntrackPS.Metrics.MetricPart;

namespace ConntrackPS.Metrics;

/// <summary>All metrics, in the order of the output. Every format, the documentation and the dashboard follow from this table.</summary>
/// <remarks>Names follow the rules of Prometheus: base units at the end, no colons, counters end in <c>_total</c>. The first two are called
/// as those of node_exporter, <c>node_nf_conntrack_entries</c> and <c>node_nf_conntrack_entries_limit</c>.</remarks>
public static class MetricCatalog
{
    private const string PerCpu = "ip_conntrack_stat, IPCTNL_MSG_CT_GET_STATS_CPU or /proc/net/stat/nf_conntrack: ";
    private const string PerCpuExpectation = "IPCTNL_MSG_EXP_GET_STATS_CPU or /proc/net/stat/nf_conntrack: ";
    private const string Listing = "a listing of the table (IPCTNL_MSG_CT_GET)";

    private static readonly (MetricDefinition Metric, Func<ConntrackStat, double?> Read)[] Figures =
    [
        (Gauge("conntrack_entries", "Entries in the table of the network namespace.", "nf_conntrack_count"), stat => stat.Count),
        (Gauge("conntrack_entries_limit", "Entries allowed in each network namespace; 0 for no limit.", "nf_conntrack_max"), stat => stat.Maximum),
        (Gauge("conntrack_fill_ratio", "Entries divided by the limit; absent if there is no limit.", "nf_conntrack_count / nf_conntrack_max", "ratio") with { IsFraction = true },
            stat => stat is { Count: { } count, Maximum: > 0 and { } maximum } ? (double)count / maximum : null),
        (Gauge("conntrack_hash_buckets", "Size of the hash table, which all network namespaces share.", "nf_conntrack_buckets"), stat => stat.Buckets),
        (Gauge("conntrack_average_chain_length", "Average number of entries in a hash chain; each entry is in two chains.", "2 * nf_conntrack_count / nf_conntrack_buckets") with { IsFraction = true },
            stat => stat.AverageChainLength),
        (Gauge("conntrack_memory_bytes", "Approximate kernel memory of the entries and the hash table.", "an estimate from nf_conntrack_count and nf_conntrack_buckets", "bytes"),
            stat => stat.EstimatedMemoryBytes),
    ];

    private static readonly (MetricDefinition Metric, Counter Counter)[] Counted =
    [
        (Counts("found", "Tuples that NAT found already in use."), Counter.Found),
        (Counts("invalid", "Packets that belong to no connection and can't start one."), Counter.Invalid),
        (Counts("insert", "Entries inserted by netlink; those that packets create are not counted."), Counter.Insert),
        (Counts("insert_failed", "Entries that were not inserted, because their tuple was in use or their hash chain too long."), Counter.InsertFailed),
        (Counts("drop", "Packets dropped because the table was full, memory was short, or a clash could not be resolved."), Counter.Drop),
        (Counts("early_drop", "Entries deleted to make room in a full table."), Counter.EarlyDrop),
        (Counts("error", "Packets that a protocol's check rejected."), Counter.Error),
        (Counts("search_restart", "Lookups that restarted because the table was resized or an entry moved."), Counter.SearchRestart),
        (Counts("clash_resolve", "Resolved clashes of two packets that started the same connection; Linux 5.10."), Counter.ClashResolve),
        (Counts("chain_too_long", "Entries refused because their hash chain was too long; Linux 5.15.", "chaintoolong"), Counter.ChainTooLong),
        (CountsExpectations("new", "Connections that matched an expectation."), Counter.ExpectationNew),
        (CountsExpectations("create", "Expectations created."), Counter.ExpectationCreate),
        (CountsExpectations("delete", "Expectations deleted."), Counter.ExpectationDelete),
    ];

    /// <summary>Entries by protocol and state.</summary>
    internal static MetricDefinition ProtocolEntries { get; } = Own(
        "conntrack_protocol", "entries", Entries, ["protocol", "state"],
        "Entries by protocol and state, in the kernel's spelling; NONE for protocols without states.", Listing);

    /// <summary>Entries of the sources with the most.</summary>
    internal static MetricDefinition SourceEntries { get; } = Own(
        "conntrack_source", "entries", Entries, ["source"],
        "Entries of the source addresses that have the most; only on request.", Listing);

    /// <summary>The findings of the health check.</summary>
    internal static MetricDefinition Finding { get; } = Own(
        "conntrack_health", "finding", Health, ["finding", "severity"],
        "1 if the health check has this finding now, otherwise 0.", "the rules of the health check");

    /// <summary>The success of each part.</summary>
    internal static MetricDefinition Success { get; } = Own(
        "conntrack_export", "success", Export, ["part"],
        "1 if this part of the export succeeded, otherwise 0.", "the export");

    /// <summary>The time that a network namespace took.</summary>
    internal static MetricDefinition Duration { get; } = Own(
        "conntrack_export", "duration_seconds", Export, [],
        "Time to read all parts of the network namespace, with the sample time of the health check.", "CLOCK_MONOTONIC", "seconds");

    /// <summary>The time of the export.</summary>
    internal static MetricDefinition Timestamp { get; } = Own(
        "conntrack_export", "timestamp_seconds", Export, [],
        "Time when the export ran, since 1970-01-01 UTC; without the label namespace.", "CLOCK_REALTIME", "seconds");

    /// <summary>All metrics.</summary>
    public static IReadOnlyList<MetricDefinition> All { get; } =
    [
        .. Figures.Select(figure => figure.Metric),
        .. Counted.Select(counted => counted.Metric),
        ProtocolEntries,
        SourceEntries,
        Finding,
        Success,
        Duration,
        Timestamp,
    ];

    /// <summary>The figures of a namespace, and how to read each.</summary>
    internal static IReadOnlyList<(MetricDefinition Metric, Func<ConntrackStat, double?> Read)> OfTable => Figures;

    /// <summary>The kernel's counters.</summary>
    internal static IReadOnlyList<(MetricDefinition Metric, Counter Counter)> OfCounters => Counted;

    private static MetricDefinition Gauge(string name, string help, string source, string? unit = null) =>
        new(name, MetricType.Gauge, unit, Statistics, [], help, source);

    /// <summary>A gauge with a measurement of its own in the line protocol. Times have a fraction.</summary>
    private static MetricDefinition Own(
        string measurement, string field, MetricPart part, IReadOnlyList<string> labels, string help, string source, string? unit = null) =>
        new($"{measurement}_{field}", MetricType.Gauge, unit, part, labels, help, source) { Measurement = measurement, IsFraction = unit is not null };

    private static MetricDefinition Counts(string name, string help, string? column = null) =>
        new($"conntrack_{name}{MetricDefinition.Total}", MetricType.Counter, null, Statistics, ["cpu"], help, PerCpu + (column ?? name));

    private static MetricDefinition CountsExpectations(string name, string help) => new(
        $"conntrack_expectation_{name}{MetricDefinition.Total}", MetricType.Counter, null, Statistics, ["cpu"], help, $"{PerCpuExpectation}expect_{name}");
}
