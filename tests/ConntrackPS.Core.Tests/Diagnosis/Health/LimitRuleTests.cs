using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>The rules for the table's limits, with made-up values just below and just above the limits.</summary>
public sealed class LimitRuleTests
{
    private static readonly HealthSnapshot Healthy = Snapshots.Healthy;

    [Theory]
    [InlineData(209714, null, FindingSeverity.Information)]
    [InlineData(209716, "TableNearlyFull", FindingSeverity.Warning)]
    [InlineData(256900, "TableNearlyFull", FindingSeverity.Warning)]
    [InlineData(256902, "TableFull", FindingSeverity.Critical)]
    [InlineData(262144, "TableFull", FindingSeverity.Critical)]
    public void A_table_is_nearly_full_from_80_percent_and_full_from_98(long count, string? name, FindingSeverity severity)
    {
        ConntrackFinding? finding = new TableFillRule().Shown(Healthy with { Count = count }).SingleOrDefault();
        Assert.Equal(name, finding?.Name);
        if (finding is null)
            return;
        Assert.Equal(severity, finding.Severity);
        Assert.Contains("of 262,144", finding.Evidence, StringComparison.Ordinal);
        Assert.Equal("Set-ConntrackSetting -Name Maximum -Value 524288 -ScaleBucket -Persist", finding.Remedy);
    }

    [Fact]
    public void Without_a_limit_no_table_is_full() => Assert.Empty(new TableFillRule().Shown(Healthy with { Maximum = 0, Count = 1 << 30 }));

    [Fact]
    public void Where_memory_allows_no_larger_table_the_remedy_lists_who_fills_it()
    {
        HealthSnapshot small = Healthy with { Count = 262144, MemoryBytes = 256 << 20 };
        Assert.StartsWith("Get-ConntrackEntry | Group-Object", Snapshots.Only(new TableFillRule(), small).Remedy, StringComparison.Ordinal);
        Assert.StartsWith(
            "Get-ConntrackEntry -NetworkNamespace 'blue' |", Snapshots.Only(new TableFillRule(), small with { Namespace = "blue" }).Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Counter.Drop, "PacketsDropped", FindingSeverity.Critical)]
    [InlineData(Counter.EarlyDrop, "EarlyDrop", FindingSeverity.Warning)]
    internal void Drops_in_the_sample_are_found(Counter counter, string name, FindingSeverity severity)
    {
        ConntrackFinding finding = Snapshots.Only(new DropRule(), Healthy with { Counted = Snapshots.Counted((counter, 120)) });
        Assert.Equal((name, severity), (finding.Name, finding.Severity));
        Assert.Contains("120 in 2 s", finding.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_kernel_s_log_is_believed_for_a_day()
    {
        HealthSnapshot Logged(TimeSpan age) => Healthy with { Log = new LogSummary(12, age, 3, age) };
        Assert.Equal(["TableFullLogged", "ExpectationTableFull"], new KernelLogRule().Shown(Logged(TimeSpan.FromMinutes(90))).Select(finding => finding.Name));
        Assert.Empty(new KernelLogRule().Shown(Logged(TimeSpan.FromHours(25))));
        Assert.Empty(new KernelLogRule().Shown(Healthy with { Log = null }));
        ConntrackFinding[] findings = [.. new KernelLogRule().Shown(Logged(TimeSpan.FromMinutes(90)))];
        Assert.Contains("on 12 lines, the last 90 minutes ago", findings[0].Evidence, StringComparison.Ordinal);
        Assert.Equal("Set-ConntrackSetting -Name ExpectationMaximum -Value 8192 -Persist", findings[1].Remedy);
    }

    [Theory]
    [InlineData("nf_conntrack_max", FindingSeverity.Information, FindingSeverity.Warning)]
    [InlineData("nf_conntrack_expect_max", FindingSeverity.Warning, FindingSeverity.Information)]
    public void A_log_line_from_before_the_limit_was_persisted_is_history(string setting, FindingSeverity table, FindingSeverity expectations)
    {
        TimeSpan hour = TimeSpan.FromHours(1);
        HealthSnapshot Persisted(TimeSpan age) => Healthy with
        {
            Log = new LogSummary(1, hour, 1, hour),
            Persisted = new Dictionary<string, TimeSpan> { [setting] = age },
        };
        Assert.Equal([table, expectations], new KernelLogRule().Shown(Persisted(TimeSpan.FromMinutes(59))).Select(finding => finding.Severity));
        Assert.All(new KernelLogRule().Shown(Persisted(TimeSpan.FromMinutes(61))), finding => Assert.Equal(FindingSeverity.Warning, finding.Severity));
    }

    [Theory]
    [InlineData(262144, 100000, 4096, null)]
    [InlineData(262144, 140000, 4096, null)]
    [InlineData(100000, 50001, 4096, "MaximumTooSmall")]
    [InlineData(100000, 49000, 4096, null)]
    [InlineData(5000000, 1000, 4096, null)]
    [InlineData(6000000, 1000, 4096, "MaximumTooBig")]
    [InlineData(0, 1000, 4096, null)]
    public void A_maximum_is_measured_by_the_memory(long maximum, long count, int mebibytes, string? name)
    {
        HealthSnapshot snapshot = Healthy with { Maximum = maximum, Count = count, MemoryBytes = (long)mebibytes << 20 };
        ConntrackFinding? finding = new MaximumRule().Shown(snapshot).SingleOrDefault();
        Assert.Equal(name, finding?.Name);
        if (finding is not null)
            Assert.Contains("the field rule of 65,536 per GB gives 262,144", finding.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_remedy_for_a_maximum_leads_to_one_that_suits()
    {
        Assert.Equal(
            "Set-ConntrackSetting -Name Maximum -Value 262144 -ScaleBucket -Persist",
            Snapshots.Only(new MaximumRule(), Healthy with { Maximum = 100000, Count = 90000, Buckets = 262143 }).Remedy);
        Assert.Equal(
            "Set-ConntrackSetting -Name Maximum -Value 262144 -Persist",
            Snapshots.Only(new MaximumRule(), Healthy with { Maximum = 100000, Count = 90000, Buckets = 262144 }).Remedy);
        ConntrackFinding tooBig = Snapshots.Only(new MaximumRule(), Healthy with { Maximum = 6000000 });
        long value = long.Parse(tooBig.Remedy!.Split(' ')[4], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Empty(new MaximumRule().Shown(Healthy with { Maximum = value, Buckets = value }));
        Assert.Contains("256 bytes an entry by /proc/slabinfo", tooBig.Evidence, StringComparison.Ordinal);
        Assert.Contains("as usual", Snapshots.Only(new MaximumRule(), Healthy with { Maximum = 6000000, EntryBytes = null }).Evidence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(262144, 65536, null)]
    [InlineData(262145, 65536, "TooFewBuckets")]
    [InlineData(65536, 262144, null)]
    [InlineData(65535, 262144, "TooManyBuckets")]
    [InlineData(0, 262144, null)]
    public void Buckets_are_in_proportion_to_the_maximum(long maximum, long buckets, string? name) =>
        Assert.Equal(name, new BucketRule().Shown(Healthy with { Maximum = maximum, Buckets = buckets, Count = 1000 }).SingleOrDefault()?.Name);

    [Fact]
    public void Buckets_follow_the_maximum_as_far_as_the_memory_goes()
    {
        Assert.Equal("Set-ConntrackSetting -Name Buckets -Value 500000 -Persist", Snapshots.Only(new BucketRule(), Healthy with { Maximum = 500000, Buckets = 65536 }).Remedy);
        HealthSnapshot tooBig = Healthy with { Maximum = 100_000_000 };
        Assert.EndsWith($" -Value {tooBig.AffordableMaximum()} -Persist", Snapshots.Only(new BucketRule(), tooBig).Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_that_is_resized_under_every_listing_is_a_finding_of_the_machine()
    {
        Assert.Empty(new ResizeRule().Shown(Healthy));
        ConntrackFinding finding = Assert.Single(new ResizeRule().Shown(Healthy with { IncompleteListings = 7, Namespace = "blue" }));
        Assert.Equal((FindingSeverity.Warning, "TableResized", null), (finding.Severity, finding.Name, finding.Namespace));
        Assert.Equal("Listings of the table: 7, and the hash table was resized during each; buckets 262,144.", finding.Evidence);
        Assert.Contains(finding.Name, HealthCheck.Judge(Healthy with { IncompleteListings = 7 }).Select(judged => judged.Name));
    }

    [Fact]
    public void A_chain_that_is_too_long_is_critical_and_wants_more_buckets_than_there_are()
    {
        ConntrackFinding finding = Snapshots.Only(new BucketRule(), Healthy with { Counted = Snapshots.Counted((Counter.ChainTooLong, 1)) });
        Assert.Equal((FindingSeverity.Critical, "ChainTooLong"), (finding.Severity, finding.Name));
        Assert.Equal("Set-ConntrackSetting -Name Buckets -Value 524288 -Persist", finding.Remedy);
    }

    [Fact]
    public void What_all_namespaces_share_is_no_finding_of_one()
    {
        HealthSnapshot blue = Healthy with { Namespace = "blue" };
        Assert.Null(Snapshots.Only(new BucketRule(), blue with { Buckets = 1024 }).Namespace);
        Assert.Null(Snapshots.Only(new BucketRule(), blue with { Maximum = 1024 }).Namespace);
        Assert.Null(Snapshots.Only(new MaximumRule(), blue with { Maximum = int.MaxValue }).Namespace);
        Assert.Equal("blue", Snapshots.Only(new TableFillRule(), blue with { Count = blue.Maximum }).Namespace);
    }
}
