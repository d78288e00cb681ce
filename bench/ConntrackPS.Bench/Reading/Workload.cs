using ConntrackPS.Bench.Watching;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Bench.Reading;

/// <summary>One way to read a whole table.</summary>
/// <param name="Name">The verb that runs it.</param>
/// <param name="Run">Reads the table. Returns the number of entries, or of bytes if it counts no entries.</param>
internal sealed record Workload(string Name, Func<NetworkNamespace, long> Run)
{
    /// <summary>All ways; the raw loop, which the others are measured against, comes first.</summary>
    public static IReadOnlyList<Workload> All { get; } =
    [
        new("raw", RawLoop.Read),
        new("parse", Parse),
        new("stream", Stream),
    ];

    /// <summary>The kernel's walk over the table without returning an entry.</summary>
    public static Workload Walk { get; } = new("walk", RawLoop.Walk);

    /// <summary>The health check with all its rules, but without the sample's time.</summary>
    public static Workload Health { get; } = new(
        "health", networkNamespace => new HealthCheck(networkNamespace, new SystemRoot(), TimeSpan.Zero).Run().Count);

    /// <summary>Ways to read a table without an object for each entry.</summary>
    private static IReadOnlyList<Workload> Others { get; } =
    [
        Walk,
        Health,
        new("group", Group),
        new("refresh", Refresh.Run),
    ];

    public static Workload Named(string name) =>
        All.Concat(Others).FirstOrDefault(workload => workload.Name == name) ?? throw new BenchException($"there is no '{name}' to measure.");

    private static long Parse(NetworkNamespace networkNamespace)
    {
        long count = 0;
        foreach (ConntrackEntry _ in new ConntrackTable(networkNamespace).Read())
            count++;
        return count;
    }

    private static long Stream(NetworkNamespace networkNamespace)
    {
        long count = 0;
        using EntryStream stream = new ConntrackTable(networkNamespace).Open();
        foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
            count += batch.Count;
        return count;
    }

    private static long Group(NetworkNamespace networkNamespace)
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")], Top = 10 });
        measurement.Read(new ConntrackTable(networkNamespace));
        return measurement.Groups().Count();
    }
}
