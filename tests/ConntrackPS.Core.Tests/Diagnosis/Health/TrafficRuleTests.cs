using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>The rules for the table's content and for packets, with made-up values just below and just above the limits.</summary>
public sealed class TrafficRuleTests
{
    private static readonly HealthSnapshot Healthy = Snapshots.Healthy;

    [Theory]
    [InlineData(432000, 10000, 2000, true)]
    [InlineData(432000, 10000, 1999, false)]
    [InlineData(432000, 1000, 999, false)]
    [InlineData(86400, 10000, 9000, false)]
    public void Idle_connections_matter_at_the_timeout_of_five_days(long seconds, int count, int idle, bool found)
    {
        TableSummary table = new(seconds, 300) { Count = count, IdleEstablished = idle };
        ConntrackFinding? finding = new IdleEstablishedRule().Shown(Healthy with { Table = table }).SingleOrDefault();
        Assert.Equal(found ? "Set-ConntrackTimeout -Protocol Tcp -State Established -Timeout 1d -Persist; "
            + "Remove-ConntrackEntry -Protocol tcp -State Established -TimeoutBelow 345600 -TimeoutAbove 300" : null, finding?.Remedy);
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
        ConntrackFinding? finding = new HalfOpenRule().Shown(Healthy with { Table = table, Namespace = "blue", IsSetByBoot = false }).SingleOrDefault();
        Assert.Equal(found ? "Remove-ConntrackEntry -SourceAddress 10.0.0.5 -State SynSent, SynRecv, SynSent2 -NetworkNamespace 'blue'" : null, finding?.Remedy);
        if (finding is not null)
            Assert.Contains("10.0.0.5 (1,000)", finding.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flood_from_many_sources_is_met_by_shorter_timeouts()
    {
        TableSummary table = new(432000, 300) { Count = 3000, HalfOpen = 3000 };
        for (uint source = 0; source < 3000; source++)
            table.HalfOpenSources.Add(IPFamily.IPv4, new AddressBits(0, source));
        Assert.Equal(
            "Set-ConntrackTimeout -Protocol Tcp -State SynSent -Timeout 20 -Persist; Set-ConntrackTimeout -Protocol Tcp -State SynRecv -Timeout 20 -Persist; "
                + "Remove-ConntrackEntry -State SynSent, SynRecv, SynSent2",
            Snapshots.Only(new HalfOpenRule(), Healthy with { Table = table }).Remedy);
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
        Assert.Equal(remedy, new UnrepliedRule().Shown(Healthy with { Table = table }).SingleOrDefault()?.Remedy);
    }

    [Theory]
    [InlineData(2000, 1000, "Remove-ConntrackEntry -SourceAddress 10.0.0.5")]
    [InlineData(2002, 1000, null)]
    [InlineData(1000, 999, null)]
    [InlineData(0, 0, null)]
    public void One_source_matters_from_half_of_the_table(int count, int share, string? remedy)
    {
        TableSummary table = Snapshots.Table(count, (summary, family, address) => summary.Sources.Add(family, address, share));
        Assert.Equal(remedy, new SourceShareRule().Shown(Healthy with { Table = table }).SingleOrDefault()?.Remedy);
    }

    [Theory]
    [InlineData(1, 0, "InsertFailed")]
    [InlineData(0, 201, "Clashes")]
    [InlineData(0, 200, null)]
    public void Clashes_matter_where_they_cost_packets_or_are_many(uint failed, uint resolved, string? name) => Assert.Equal(
        name,
        new InsertFailedRule().Shown(Healthy with { Counted = Snapshots.Counted((Counter.InsertFailed, failed), (Counter.ClashResolve, resolved)) }).SingleOrDefault()?.Name);

    [Theory]
    [InlineData(1000u, 100000L, true)]
    [InlineData(999u, 100000L, false)]
    [InlineData(9u, 10L, false)]
    [InlineData(10u, 10L, true)]
    [InlineData(1000u, null, false)]
    public void Invalid_packets_matter_from_one_in_a_hundred(uint invalid, long? packets, bool found) => Assert.Equal(
        found,
        new InvalidRule().Shown(Healthy with { Counted = Snapshots.Counted((Counter.Invalid, invalid)), Packets = packets }).Any());
}
