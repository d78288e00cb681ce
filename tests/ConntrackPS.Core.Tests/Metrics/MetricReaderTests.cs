using System.Globalization;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Metrics;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Metrics;

/// <summary>The values of an export, compared with conntrack and /proc.</summary>
public sealed class MetricReaderTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void The_figures_are_those_of_proc_and_conntrack()
    {
        Insert(12, "tcp", "--state", "ESTABLISHED");
        _ns.TrackPackets();
        _ns.Exec("sh", "-c", "for i in 1 2 3; do conntrack -I -s 192.0.2.1 -d 198.51.100.1 -p tcp --sport 1 --dport 80 --state SYN_SENT -t 60; done 2>&1 || true");
        IReadOnlyList<ExposedFamily> families = Read(new MetricOptions { StatisticsOnly = true });
        Assert.Equal(Proc("nf_conntrack_count"), Value(families, "conntrack_entries"));
        Assert.Equal(Proc("nf_conntrack_max"), Value(families, "conntrack_entries_limit"));
        Assert.Equal(Proc("nf_conntrack_buckets"), Value(families, "conntrack_hash_buckets"));
        Assert.Equal((double)Proc("nf_conntrack_count") / Proc("nf_conntrack_max"), Value(families, "conntrack_fill_ratio"));
        foreach ((string name, string column) in new[] { ("insert", "insert"), ("insert_failed", "insert_failed"), ("chain_too_long", "chaintoolong"), ("drop", "drop") })
            Assert.Equal(ConntrackS(column).Sum(), (long)Value(families, $"conntrack_{name}_total"));
        Assert.DoesNotContain(families, family => family.Name.Contains("protocol", StringComparison.Ordinal) || family.Name.Contains("health", StringComparison.Ordinal));
    }

    [Fact]
    public void Counters_of_each_processor_replace_the_sums()
    {
        Insert(3, "udp");
        ExposedFamily insert = Read(new MetricOptions { StatisticsOnly = true, PerCpu = true }).Single(family => family.Name == "conntrack_insert_total");
        long[] expected = ConntrackS("insert");
        Assert.Equal(Enumerable.Range(0, expected.Length).Select(cpu => cpu.ToString(CultureInfo.InvariantCulture)), insert.Samples.Select(sample => sample.Labels["cpu"]));
        Assert.Equal(expected.Select(count => (double)count), insert.Samples.Select(sample => sample.Value));
        Assert.Contains(expected, count => count > 0);
    }

    [Fact]
    public void Entries_are_counted_by_protocol_and_state_and_the_top_sources_named()
    {
        Insert(5, "tcp", "--state", "ESTABLISHED");
        _ns.Exec("conntrack", "-I", "-s", "192.0.2.9", "-d", "198.51.100.7", "-p", "tcp", "--sport", "9", "--dport", "80", "--state", "SYN_SENT", "-t", "60");
        Insert(2, "udp");
        _ns.Exec("conntrack", "-I", "-s", "192.0.2.1", "-d", "198.51.100.7", "-p", "udp", "--sport", "9", "--dport", "54", "-t", "60");
        IReadOnlyList<ExposedFamily> families = Read(new MetricOptions { Sample = TimeSpan.Zero, TopSource = 1 });
        Assert.Equal(
            [("tcp", "ESTABLISHED", 5), ("tcp", "SYN_SENT", 1), ("udp", "NONE", 3)],
            families.Single(family => family.Name == "conntrack_protocol_entries").Samples
                .Select(sample => (sample.Labels["protocol"], sample.Labels["state"], (int)sample.Value)).Order());

        // conntrack's own list, counted by source.
        (string Source, int Count) most = _ns.Exec("conntrack", "-L").Split('\n').Where(line => line.Contains("src=", StringComparison.Ordinal))
            .GroupBy(line => line.Split("src=")[1].Split(' ')[0]).Select(group => (group.Key, group.Count())).OrderByDescending(group => group.Item2).First();
        ExposedSample top = Assert.Single(families.Single(family => family.Name == "conntrack_source_entries").Samples);
        Assert.Equal(most, (top.Labels["source"], (int)top.Value));
        Assert.Equal(3, most.Count);
    }

    [Fact]
    public void Every_known_finding_is_there_and_those_of_the_health_check_are_1()
    {
        _ns.SetConntrackSetting("nf_conntrack_acct", 0);
        IReadOnlyList<ExposedFamily> families = Read(new MetricOptions { Sample = TimeSpan.Zero });
        ExposedFamily findings = families.Single(family => family.Name == "conntrack_health_finding");
        Assert.Equal(
            FindingKinds.All.SelectMany(kind => kind.Severities.Select(severity => (kind.Name, severity.ToString().ToLowerInvariant()))).Order(),
            findings.Samples.Select(sample => (sample.Labels["finding"], sample.Labels["severity"])).Order());
        Assert.Equal(
            new HealthCheck(_ns.Namespace, TimeSpan.Zero).Run().Select(finding => finding.Name).Distinct().Order(),
            findings.Samples.Where(sample => sample.Value == 1).Select(sample => sample.Labels["finding"]).Order());
        Assert.Contains(findings.Samples, sample => sample is { Value: 1 } && sample.Labels["finding"] == "AccountingOff");
        Assert.All(findings.Samples, sample => Assert.InRange(sample.Value, 0, 1));
    }

    [Fact]
    public void The_parts_report_their_success()
    {
        IReadOnlyList<ExposedFamily> families = Read(new MetricOptions { Sample = TimeSpan.Zero });
        Assert.Equal([("entries", 1.0), ("health", 1.0), ("statistics", 1.0)], Success(families));
        Assert.True(Value(families, "conntrack_export_duration_seconds") > 0);
        ExposedSample time = families.Single(family => family.Name == "conntrack_export_timestamp_seconds").Samples.Single();
        Assert.Empty(time.Labels);
        Assert.InRange(time.Value, DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 300, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1);
    }

    [Fact]
    public void Without_the_privilege_the_counters_remain_and_one_error_says_why()
    {
        Insert(1, "udp");
        MetricReader reader = new(new MetricOptions { Sample = TimeSpan.Zero });
        MetricFailure failure = Assert.Single(Unprivileged.Run(_ns.Namespace, () => reader.Read(null)));
        Assert.Equal(MetricPart.Entries, failure.Part);
        Assert.Equal(Errno.NotPermitted, Assert.IsType<NetlinkException>(failure.Cause).Errno);
        IReadOnlyList<ExposedFamily> families = ExpositionReader.Read(string.Join('\n', reader.Write(MetricFormat.Prometheus)) + "\n", isOpenMetrics: false);
        Assert.Equal([("entries", 0.0), ("health", 0.0), ("statistics", 1.0)], Success(families));
        Assert.Equal(1, Value(families, "conntrack_entries"));
        Assert.DoesNotContain(families, family => family.Name is "conntrack_protocol_entries" or "conntrack_health_finding");
    }

    [Fact]
    public void A_namespace_that_is_gone_fails_and_the_others_are_read()
    {
        using NetworkNamespaceFixture other = new();
        MetricReader reader = new(new MetricOptions { Sample = TimeSpan.Zero });
        _ns.Dispose();
        MetricFailure failure = Assert.Single(reader.Read(_ns.Namespace));
        Assert.Equal((MetricPart.Statistics, _ns.Name), (failure.Part, failure.Namespace));
        Assert.IsType<NetworkNamespaceException>(failure.Cause);
        Assert.Empty(reader.Read(other.Namespace));
        IReadOnlyList<ExposedFamily> families = ExpositionReader.Read(string.Join('\n', reader.Write(MetricFormat.OpenMetrics)) + "\n", isOpenMetrics: true);
        ExposedFamily success = families.Single(family => family.Name == "conntrack_export_success");
        Assert.All(success.Samples, sample => Assert.Equal(sample.Labels["namespace"] == other.Name ? 1 : 0, sample.Value));
        Assert.Equal(other.Name, Assert.Single(families.Single(family => family.Name == "conntrack_entries").Samples).Labels["namespace"]);
    }

    private static IEnumerable<(string, double)> Success(IReadOnlyList<ExposedFamily> families) =>
        families.Single(family => family.Name == "conntrack_export_success").Samples.Select(sample => (sample.Labels["part"], sample.Value)).Order();

    private static double Value(IReadOnlyList<ExposedFamily> families, string name) => families.Single(family => family.Name == name).Samples.Single().Value;

    private IReadOnlyList<ExposedFamily> Read(MetricOptions options)
    {
        MetricReader reader = new(options);
        Assert.Empty(reader.Read(_ns.Namespace));
        return ExpositionReader.Read(string.Join('\n', reader.Write(MetricFormat.Prometheus)) + "\n", isOpenMetrics: false);
    }

    private long Proc(string name) => long.Parse(_ns.Exec("cat", "/proc/sys/net/netfilter/" + name), CultureInfo.InvariantCulture);

    /// <summary>A counter of each processor, as conntrack prints it.</summary>
    private long[] ConntrackS(string column) =>
    [
        .. _ns.Exec("conntrack", "-S").Split('\n').Where(line => line.StartsWith("cpu=", StringComparison.Ordinal))
            .Select(line => long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Single(word => word.StartsWith(column + "=", StringComparison.Ordinal))[(column.Length + 1)..], CultureInfo.InvariantCulture)),
    ];

    private void Insert(int count, string protocol, params string[] more)
    {
        for (int i = 1; i <= count; i++)
        {
            _ns.Exec("conntrack", ["-I", "-s", $"192.0.2.{i}", "-d", "198.51.100.7", "-p", protocol, "--sport", "4000", "--dport", "80", "-t", "600", .. more]);
        }
    }
}
