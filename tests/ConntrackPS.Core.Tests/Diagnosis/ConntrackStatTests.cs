using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

/// <summary>The values of a namespace with some traffic, compared with conntrack and /proc.</summary>
public sealed partial class ConntrackStatTests(TrafficCountersFixture traffic) : IClassFixture<TrafficCountersFixture>
{
    private NetworkNamespaceFixture Ns => traffic.Namespace;

    [Fact]
    public void The_count_and_limits_are_the_kernels()
    {
        ConntrackStat stat = ConntrackStat.Read(Ns.Namespace);
        Assert.Equal(Number(Ns.Exec("conntrack", "-C")), stat.Count);
        Assert.Equal(Number(Ns.Exec("sysctl", "-n", "net.netfilter.nf_conntrack_buckets")), stat.Buckets);
        Assert.True(stat.Maximum > 0);
        Assert.Equal(Ns.Name, stat.Namespace);
    }

    [Fact]
    public void Each_processor_s_counters_are_those_of_conntrack()
    {
        // cpu=0  found=0 invalid=3 insert=0 ...
        Dictionary<string, long>[] theirs = [.. Ns.Exec("conntrack", "-S").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => Pair().Matches(line).ToDictionary(match => match.Groups[1].Value, match => Number(match.Groups[2].Value)))];
        IReadOnlyList<ConntrackCpuStat> ours = ConntrackCpuStat.Read(Ns.Namespace);
        Assert.Equal(theirs.Select(line => line["cpu"]), ours.Select(stat => (long)stat.Cpu));
        foreach ((Dictionary<string, long> line, ConntrackCpuStat stat) in theirs.Zip(ours))
        {
            Assert.Equal(line["found"], (long)stat.Found!);
            Assert.Equal(line["invalid"], (long)stat.Invalid!);
            Assert.Equal(line["insert_failed"], (long)stat.InsertFailed!);
            Assert.Equal(line["drop"], (long)stat.Drop!);
            Assert.Equal(line["early_drop"], (long)stat.EarlyDrop!);
            Assert.Equal(line["error"], (long)stat.Error!);
            Assert.Equal(line["search_restart"], (long)stat.SearchRestart!);
        }
    }

    [Fact]
    public void Netlink_and_proc_count_the_same_in_every_counter()
    {
        (IReadOnlyList<CpuCounters> netlink, IReadOnlyList<CpuCounters> proc) = Ns.Namespace.Run(() =>
        {
            using NetlinkConnection connection = NetlinkConnection.Open();
            return (NetlinkCounterReader.Read(connection), ProcCounterReader.Read());
        });
        Assert.NotEmpty(netlink);
        Assert.Equal(netlink.SelectMany(All), proc.SelectMany(All));

        static IEnumerable<uint?> All(CpuCounters processor) => Enum.GetValues<Counter>().Select(counter => processor[counter]);
    }

    [Fact]
    public void What_happened_is_counted()
    {
        ConntrackStat stat = ConntrackStat.Read(Ns.Namespace);
        Assert.True(stat.Invalid >= 1, $"{stat.Invalid} invalid packets");
        Assert.True(stat.ExpectationCreate >= 1, $"{stat.ExpectationCreate} expectations");
        Assert.Equal(ConntrackCpuStat.Read(Ns.Namespace).Aggregate(0UL, (sum, processor) => sum + processor.Invalid!.Value), stat.Invalid);
    }

    [Fact]
    public void Without_a_privilege_the_figures_are_the_same()
    {
        ConntrackStat expected = ConntrackStat.Read(Ns.Namespace), stat = Unprivileged.Run(Ns.Namespace, () => ConntrackStat.Read());
        Assert.Equal((expected.Count, expected.Invalid, expected.ExpectationCreate), (stat.Count, stat.Invalid, stat.ExpectationCreate));
    }

    [Fact]
    public void Chains_and_memory_follow_from_count_and_buckets()
    {
        ConntrackStat stat = ConntrackStat.Read(Ns.Namespace);
        Assert.Equal(Math.Round(2.0 * stat.Count!.Value / stat.Buckets!.Value, 2), stat.AverageChainLength);
        Assert.Equal(stat.Count * (256 + 128) + stat.Buckets * 8, stat.EstimatedMemoryBytes);
    }

    [Fact]
    public void Rates_tell_what_happened_between_two_samples()
    {
        using NetworkNamespaceFixture ns = new();
        StatSampler sampler = new(ns.Namespace);
        TableFiller.Fill(ns, 100);
        ConntrackStatRate rate = Assert.Single(sampler.Sample());
        Assert.Equal((100L, 100L, null, ns.Name), (rate.Count, rate.CountChange, rate.Cpu, rate.Namespace));
        Assert.True(rate.Seconds > 0);
        Assert.Equal(0, rate.DropPerSecond);
        Shell.Run("ip", "netns", "exec", ns.Name, "conntrack", "-F");
        IReadOnlyList<ConntrackStatRate> perCpu = sampler.Sample(perCpu: true);
        Assert.Equal(Enumerable.Range(0, perCpu.Count), perCpu.Select(one => one.Cpu!.Value));
        Assert.All(perCpu, one => Assert.Equal(-100L, one.CountChange));
    }

    [Fact]
    public void A_namespace_that_took_the_name_of_another_is_no_fall_of_its_counters()
    {
        using NetworkNamespaceFixture ns = new();
        TableFiller.Fill(ns, 10);
        StatSampler sampler = new(ns.Namespace);
        Shell.Run("ip", "netns", "delete", ns.Name);
        Shell.Run("ip", "netns", "add", ns.Name);
        Assert.Empty(sampler.Sample());
        Assert.Equal(0, Assert.Single(sampler.Sample()).InsertPerSecond);
        Shell.Run("ip", "netns", "delete", ns.Name);
        Assert.Throws<NetworkNamespaceException>(() => sampler.Sample());

        // The fixture deletes it.
        Shell.Run("ip", "netns", "add", ns.Name);
    }

    [Fact]
    public void Rates_are_per_second_and_know_of_wraps()
    {
        StatReading before = Reading(0, uint.MaxValue - 4), after = Reading(2, 15);
        ConntrackStatRate rate = ConntrackStatRate.Between(before, after);
        Assert.Equal((2.0, 10.0, null), (rate.Seconds, rate.DropPerSecond, rate.FoundPerSecond));

        static StatReading Reading(int second, uint dropped) => new(
            0, 0, 0, [new CpuCounters(0) { [Counter.Drop] = dropped }], DateTime.UnixEpoch, second * Stopwatch.Frequency, null, null);
    }

    /// <summary>Seconds are rounded to milliseconds. The rates of a shorter interval must not depend on that.</summary>
    [Fact]
    public void Rates_of_less_than_half_a_millisecond_are_known()
    {
        ConntrackStatRate rate = ConntrackStatRate.Between(Reading(0, 0), Reading(Stopwatch.Frequency / 10_000, 3));
        Assert.Equal((0.0, 30_000.0), (rate.Seconds, rate.DropPerSecond));

        static StatReading Reading(long timestamp, uint dropped) => new(
            0, 0, 0, [new CpuCounters(0) { [Counter.Drop] = dropped }], DateTime.UnixEpoch, timestamp, null, null);
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(\w+)=(\d+)")]
    private static partial Regex Pair();
}
