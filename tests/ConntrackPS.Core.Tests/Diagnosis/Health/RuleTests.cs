using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Diagnosis.Health.Rules;
using ConntrackPS.Diagnosis.Statistics;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>Each rule on made-up numbers: just below and just past its limits.</summary>
public sealed class RuleTests
{
    private static readonly HealthSnapshot Healthy = Snapshots.Healthy;

    [Fact]
    public void Nothing_is_found_where_all_is_well() => Assert.Empty(HealthCheck.Judge(Healthy));

    [Fact]
    public void Nothing_is_found_where_nothing_can_be_read() => Assert.Empty(HealthCheck.Judge(new HealthSnapshot()));

    [Fact]
    public void The_worst_comes_first()
    {
        HealthSnapshot snapshot = Healthy.With("nf_conntrack_acct", 0) with { Count = 262144, Counted = Snapshots.Counted((Counter.EarlyDrop, 5)) };
        Assert.Equal(
            [FindingSeverity.Critical, FindingSeverity.Warning, FindingSeverity.Information],
            HealthCheck.Judge(snapshot).Select(finding => finding.Severity).Distinct());
    }

    [Theory]
    [InlineData(209714, null, FindingSeverity.Information)]
    [InlineData(209716, "TableNearlyFull", FindingSeverity.Warning)]
    [InlineData(256900, "TableNearlyFull", FindingSeverity.Warning)]
    [InlineData(256902, "TableFull", FindingSeverity.Critical)]
    [InlineData(262144, "TableFull", FindingSeverity.Critical)]
    public void A_table_is_nearly_full_from_80_percent_and_full_from_98(long count, string? name, FindingSeverity severity)
    {
        ConntrackFinding? finding = new TableFillRule().Check(Healthy with { Count = count }).SingleOrDefault();
        Assert.Equal(name, finding?.Name);
        if (finding is null)
            return;
        Assert.Equal(severity, finding.Severity);
        Assert.Contains("of 262,144", finding.Evidence, StringComparison.Ordinal);
        Assert.Equal("Set-ConntrackSetting -Name Maximum -Value 524288 -ScaleBucket -Persist", finding.Remedy);
    }

    [Fact]
    public void Without_a_limit_no_table_is_full() => Assert.Empty(new TableFillRule().Check(Healthy with { Maximum = 0, Count = 1 << 30 }));

    [Fact]
    public void Where_memory_allows_no_larger_table_the_remedy_lists_who_fills_it()
    {
        HealthSnapshot small = Healthy with { Count = 262144, MemoryBytes = 256 << 20 };
        Assert.StartsWith("Get-ConntrackEntry | Group-Object", Only(new TableFillRule(), small).Remedy, StringComparison.Ordinal);
        Assert.StartsWith(
            "Get-ConntrackEntry -NetworkNamespace 'blue' |", Only(new TableFillRule(), small with { Namespace = "blue" }).Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Counter.Drop, "PacketsDropped", FindingSeverity.Critical)]
    [InlineData(Counter.EarlyDrop, "EarlyDrop", FindingSeverity.Warning)]
    internal void Drops_in_the_sample_are_found(Counter counter, string name, FindingSeverity severity)
    {
        ConntrackFinding finding = Only(new DropRule(), Healthy with { Counted = Snapshots.Counted((counter, 120)) });
        Assert.Equal((name, severity), (finding.Name, finding.Severity));
        Assert.Contains("120 in 2 s", finding.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_kernel_s_log_is_believed_for_a_day()
    {
        HealthSnapshot Logged(TimeSpan age) => Healthy with { Log = new LogSummary(12, age, 3, age) };
        Assert.Equal(["TableFullLogged", "ExpectationTableFull"], new KernelLogRule().Check(Logged(TimeSpan.FromMinutes(90))).Select(finding => finding.Name));
        Assert.Empty(new KernelLogRule().Check(Logged(TimeSpan.FromHours(25))));
        Assert.Empty(new KernelLogRule().Check(Healthy with { Log = null }));
        ConntrackFinding[] findings = [.. new KernelLogRule().Check(Logged(TimeSpan.FromMinutes(90)))];
        Assert.Contains("on 12 lines, the last 90 minutes ago", findings[0].Evidence, StringComparison.Ordinal);
        Assert.Equal("Set-ConntrackSetting -Name ExpectationMaximum -Value 8192 -Persist", findings[1].Remedy);
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
        ConntrackFinding? finding = new MaximumRule().Check(snapshot).SingleOrDefault();
        Assert.Equal(name, finding?.Name);
        if (finding is not null)
            Assert.Contains("the field rule of 65,536 per GB gives 262,144", finding.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_remedy_for_a_maximum_leads_to_one_that_suits()
    {
        Assert.Equal(
            "Set-ConntrackSetting -Name Maximum -Value 262144 -ScaleBucket -Persist",
            Only(new MaximumRule(), Healthy with { Maximum = 100000, Count = 90000 }).Remedy);
        ConntrackFinding tooBig = Only(new MaximumRule(), Healthy with { Maximum = 6000000 });
        long value = long.Parse(tooBig.Remedy.Split(' ')[4], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Empty(new MaximumRule().Check(Healthy with { Maximum = value, Buckets = value }));
        Assert.Contains("256 bytes an entry by /proc/slabinfo", tooBig.Evidence, StringComparison.Ordinal);
        Assert.Contains("as usual", Only(new MaximumRule(), Healthy with { Maximum = 6000000, EntryBytes = null }).Evidence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(262144, 65536, null)]
    [InlineData(262145, 65536, "TooFewBuckets")]
    [InlineData(65536, 262144, null)]
    [InlineData(65535, 262144, "TooManyBuckets")]
    [InlineData(0, 262144, null)]
    public void Buckets_are_in_proportion_to_the_maximum(long maximum, long buckets, string? name) =>
        Assert.Equal(name, new BucketRule().Check(Healthy with { Maximum = maximum, Buckets = buckets, Count = 1000 }).SingleOrDefault()?.Name);

    [Fact]
    public void A_chain_that_is_too_long_is_critical_and_wants_more_buckets_than_there_are()
    {
        ConntrackFinding finding = Only(new BucketRule(), Healthy with { Counted = Snapshots.Counted((Counter.ChainTooLong, 1)) });
        Assert.Equal((FindingSeverity.Critical, "ChainTooLong"), (finding.Severity, finding.Name));
        Assert.Equal("Set-ConntrackSetting -Name Buckets -Value 524288 -Persist", finding.Remedy);
    }

    [Theory]
    [InlineData(432000, 10000, 2000, true)]
    [InlineData(432000, 10000, 1999, false)]
    [InlineData(432000, 1000, 999, false)]
    [InlineData(86400, 10000, 9000, false)]
    public void Idle_connections_matter_at_the_timeout_of_five_days(long seconds, int count, int idle, bool found)
    {
        TableSummary table = new(seconds) { Count = count, IdleEstablished = idle };
        ConntrackFinding? finding = new IdleEstablishedRule().Check(Healthy with { Table = table }).SingleOrDefault();
        Assert.Equal(found ? "Set-ConntrackTimeout -Protocol Tcp -State Established -TimeoutSeconds 1d -Persist" : null, finding?.Remedy);
    }

    [Theory]
    [InlineData(4000, 1000, true)]
    [InlineData(4004, 1000, false)]
    [InlineData(2000, 999, false)]
    public void Half_open_connections_are_a_flood_from_a_quarter_of_the_table(int count, int halfOpen, bool found)
    {
        TableSummary table = Snapshots.Table(count, (summary, family, address) =>
        {
            summary.HalfOpen = halfOpen;
            summary.HalfOpenSources.Add(family, address, halfOpen);
        });
        ConntrackFinding? finding = new HalfOpenRule().Check(Healthy with { Table = table, Namespace = "blue" }).SingleOrDefault();
        Assert.Equal(found ? "Remove-ConntrackEntry -SourceAddress 10.0.0.5 -State SynSent, SynRecv, SynSent2 -NetworkNamespace 'blue'" : null, finding?.Remedy);
        if (finding is not null)
            Assert.Contains("10.0.0.5 (1,000)", finding.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flood_from_many_sources_is_met_by_shorter_timeouts()
    {
        TableSummary table = new(432000) { Count = 3000, HalfOpen = 3000 };
        for (uint source = 0; source < 3000; source++)
            table.HalfOpenSources.Add(IPFamily.IPv4, new AddressBits(0, source));
        Assert.Equal(
            "Set-ConntrackTimeout -Protocol Tcp -State SynSent -TimeoutSeconds 20 -Persist; Set-ConntrackTimeout -Protocol Tcp -State SynRecv -TimeoutSeconds 20 -Persist",
            Only(new HalfOpenRule(), Healthy with { Table = table }).Remedy);
    }

    [Theory]
    [InlineData(2000, 1000, "Remove-ConntrackEntry -Unreplied -SourceAddress 10.0.0.5")]
    [InlineData(2002, 1000, null)]
    [InlineData(1200, 999, null)]
    public void Unreplied_entries_matter_from_half_of_the_table(int count, int unreplied, string? remedy)
    {
        TableSummary table = Snapshots.Table(count, (summary, family, address) =>
        {
            summary.Unreplied = unreplied;
            summary.UnrepliedSources.Add(family, address, unreplied);
        });
        Assert.Equal(remedy, new UnrepliedRule().Check(Healthy with { Table = table }).SingleOrDefault()?.Remedy);
    }

    [Theory]
    [InlineData(2000, 1000, "Remove-ConntrackEntry -SourceAddress 10.0.0.5")]
    [InlineData(2002, 1000, null)]
    [InlineData(1000, 999, null)]
    [InlineData(0, 0, null)]
    public void One_source_matters_from_half_of_the_table(int count, int share, string? remedy)
    {
        TableSummary table = Snapshots.Table(count, (summary, family, address) => summary.Sources.Add(family, address, share));
        Assert.Equal(remedy, new SourceShareRule().Check(Healthy with { Table = table }).SingleOrDefault()?.Remedy);
    }

    [Theory]
    [InlineData(1, 0, "InsertFailed")]
    [InlineData(0, 201, "Clashes")]
    [InlineData(0, 200, null)]
    public void Clashes_matter_where_they_cost_packets_or_are_many(uint failed, uint resolved, string? name) => Assert.Equal(
        name,
        new InsertFailedRule().Check(Healthy with { Counted = Snapshots.Counted((Counter.InsertFailed, failed), (Counter.ClashResolve, resolved)) }).SingleOrDefault()?.Name);

    [Theory]
    [InlineData(1000u, 100000L, true)]
    [InlineData(999u, 100000L, false)]
    [InlineData(9u, 10L, false)]
    [InlineData(10u, 10L, true)]
    [InlineData(1000u, null, false)]
    public void Invalid_packets_matter_from_one_in_a_hundred(uint invalid, long? packets, bool found) => Assert.Equal(
        found,
        new InvalidRule().Check(Healthy with { Counted = Snapshots.Counted((Counter.Invalid, invalid)), Packets = packets }).Any());

    [Theory]
    [InlineData("nf_conntrack_acct", "AccountingOff", "Set-ConntrackSetting -Name Accounting -Value $true -Persist")]
    [InlineData("nf_conntrack_timestamp", "TimestampOff", "Set-ConntrackSetting -Name Timestamp -Value $true -Persist")]
    [InlineData("nf_conntrack_events", "EventsOff", "Set-ConntrackSetting -Name Events -Value On -Persist")]
    public void What_is_off_is_worth_knowing(string setting, string name, string remedy)
    {
        ConntrackFinding finding = Assert.Single(HealthCheck.Judge(Healthy.With(setting, 0)));
        Assert.Equal((FindingSeverity.Information, name, remedy), (finding.Severity, finding.Name, finding.Remedy));
    }

    [Fact]
    public void Automatic_events_come_with_a_caveat() =>
        Assert.Contains("never make an event", Only(new EventRule(), Healthy.With("nf_conntrack_events", 2)).Explanation, StringComparison.Ordinal);

    [Fact]
    public void Helpers_are_worth_knowing_and_automatic_ones_a_warning()
    {
        TableSummary table = new(432000);
        table.Helpers["ftp"] = 3;
        table.Helpers["sip"] = 2;
        ConntrackFinding inUse = Only(new HelperRule(), Healthy with { Table = table });
        Assert.Equal((FindingSeverity.Information, "HelperInUse"), (inUse.Severity, inUse.Name));
        Assert.Contains("ftp (3), sip (2)", inUse.Evidence, StringComparison.Ordinal);
        Assert.Equal("Get-ConntrackEntry -Helper ftp, sip", inUse.Remedy);
        Assert.Equal((FindingSeverity.Warning, "AutomaticHelper"), (Only(new HelperRule(), Healthy.With("nf_conntrack_helper", 1)) is var automatic ? automatic.Severity : default, automatic.Name));
        Assert.Empty(new HelperRule().Check(Healthy.With("nf_conntrack_helper", 0)));
    }

    [Fact]
    public void Files_that_contradict_are_found()
    {
        ConntrackFinding[] findings = [.. new PersistenceRule().Check(Healthy with
        {
            Differences = [new PersistedDifference("a.b", "1", "2", "/etc/sysctl.d/x.conf", "Set-Something")],
            Overruled = [new OverruledLine("net.netfilter.c", "3", "4", "/etc/sysctl.d/zz.conf")],
        })];
        Assert.Equal(["PersistedDiffers", "PersistedElsewhere"], findings.Select(finding => finding.Name));
        Assert.Equal("Set-Something", findings[0].Remedy);
        Assert.Equal("Select-String -LiteralPath '/etc/sysctl.d/zz.conf' -Pattern 'c'", findings[1].Remedy);
    }

    [Fact]
    public void In_a_named_namespace_nothing_is_persisted() => Assert.Equal(
        "Set-ConntrackSetting -Name Accounting -Value $true -NetworkNamespace 'it''s'",
        Only(new AccountingRule(), Healthy.With("nf_conntrack_acct", 0) with { Namespace = "it's" }).Remedy);

    private static ConntrackFinding Only(IHealthRule rule, HealthSnapshot snapshot) => Assert.Single(rule.Check(snapshot));
}
