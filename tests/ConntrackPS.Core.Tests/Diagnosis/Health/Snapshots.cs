using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>Made-up values of a router.</summary>
internal static class Snapshots
{
    /// <summary>A router with 4 GiB and no problems.</summary>
    public static HealthSnapshot Healthy { get; } = new()
    {
        Count = 20000,
        Maximum = 262144,
        Buckets = 262144,
        Counted = Counted(),
        Sample = TimeSpan.FromSeconds(2),
        Packets = 100000,
        MemoryBytes = 4L << 30,
        EntryBytes = 256,
        Settings = new Dictionary<string, long>
        {
            ["nf_conntrack_acct"] = 1,
            ["nf_conntrack_timestamp"] = 1,
            ["nf_conntrack_events"] = 1,
            ["nf_conntrack_expect_max"] = 4096,
        },
        Log = new LogSummary(0, default, 0, default),
    };

    /// <summary>The counters of the sample. Counters that are not named are 0.</summary>
    public static CounterValues Counted(params (Counter Counter, uint Value)[] values)
    {
        CpuCounters processor = new(0);
        foreach (Counter counter in Enum.GetValues<Counter>())
            processor[counter] = 0;
        foreach ((Counter counter, uint value) in values)
            processor[counter] = value;
        return CounterValues.Sum(processor);
    }

    /// <summary>The only finding of a rule.</summary>
    public static ConntrackFinding Only(IHealthRule rule, HealthSnapshot snapshot) => Assert.Single(rule.Shown(snapshot));

    /// <summary>The findings of a rule, in the form for users.</summary>
    public static IEnumerable<ConntrackFinding> Shown(this IHealthRule rule, HealthSnapshot snapshot) => rule.Check(snapshot).Shown();

    /// <summary>Findings in the form for users.</summary>
    public static IEnumerable<ConntrackFinding> Shown(this IEnumerable<HealthFinding> findings) => findings.Select(finding => new ConntrackFinding(finding));

    /// <summary>The same settings with one changed value.</summary>
    public static HealthSnapshot With(this HealthSnapshot snapshot, string setting, long value) =>
        snapshot with { Settings = new Dictionary<string, long>(snapshot.Settings) { [setting] = value } };

    /// <summary>A table with this number of entries from one source, some of which are of a given kind.</summary>
    public static TableSummary Table(int count, Action<TableSummary, IPFamily, AddressBits> kind)
    {
        TableSummary table = new(432000, 300) { Count = count };
        kind(table, IPFamily.IPv4, new AddressBits(0, 0x0a000005));
        return table;
    }
}
