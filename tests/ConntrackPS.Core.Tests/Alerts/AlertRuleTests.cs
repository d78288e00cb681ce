using System.Diagnostics;
using ConntrackPS.Alerts;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;

namespace ConntrackPS.Tests.Alerts;

/// <summary>One alert when a problem begins, one when it is over, and none between.</summary>
public sealed class AlertRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 29, 12, 0, 0, DateTimeKind.Local);

    [Theory]
    [InlineData("80", "")]
    [InlineData("81", "81 Raised")]
    [InlineData("81 79 82 70 81", "81 Raised")]
    [InlineData("81 69 81", "81 Raised,69 Cleared,81 Raised")]
    [InlineData("100 100 0 0", "100 Raised,0 Cleared")]
    public void The_fill_is_raised_above_a_limit_and_cleared_below_the_lower_one(string fills, string alerts)
    {
        FillAlertRule rule = new(80, 70);
        Assert.Equal(alerts, string.Join(',', fills.Split(' ').SelectMany(fill => rule.Check(Reading(count: int.Parse(fill)))).Select(alert => $"{alert.Value} {alert.State}")));
    }

    [Fact]
    public void The_fill_has_its_evidence_and_the_limit_that_it_passed()
    {
        FillAlertRule rule = new(80, 70);
        ConntrackAlert raised = Assert.Single(rule.Check(Reading(count: 85)));
        Assert.Equal((85.0, 80.0, "85 of 100 entries, 85 %, above 80 %", "blue"), (raised.Value, raised.Limit, raised.Evidence, raised.Namespace));
        ConntrackAlert cleared = Assert.Single(rule.Check(Reading(count: 10)));
        Assert.Equal((10.0, 70.0), (cleared.Value, cleared.Limit));
    }

    [Fact]
    public void A_table_without_a_maximum_is_not_full()
    {
        FillAlertRule rule = new(80, 70);
        Assert.Empty(rule.Check(Reading(count: 1_000_000, maximum: 0)));
        Assert.Single(rule.Check(Reading(count: 90)));
        ConntrackAlert cleared = Assert.Single(rule.Check(Reading(count: 90, maximum: 0)));
        Assert.Equal((AlertState.Cleared, null), (cleared.State, cleared.Value));
    }

    [Fact]
    public void Drops_are_raised_once_and_cleared_after_a_quiet_time()
    {
        DropAlertRule rule = new(TimeSpan.FromSeconds(60));
        Assert.Equal(
            "10 Raised 5: drop +5 in 10 s|90 Cleared 8: no drops for 60 s, after 8",
            Run(rule, Drops(0, 100), Drops(10, 105), Drops(20, 108), Drops(30, 108), Drops(79, 108), Drops(90, 108), Drops(200, 108)));
    }

    /// <summary>Old drops are not news, and the total of an earlier alert does not belong to the next.</summary>
    [Fact]
    public void Drops_before_the_first_reading_are_no_alert()
    {
        DropAlertRule rule = new(TimeSpan.FromSeconds(10));
        Assert.Equal(
            "10 Raised 1: drop +1 in 10 s|20 Cleared 1: no drops for 10 s, after 1|30 Raised 2: drop +2 in 10 s|40 Cleared 2: no drops for 10 s, after 2",
            Run(rule, Drops(0, 4_000_000_000), Drops(10, 4_000_000_001), Drops(20, 4_000_000_001), Drops(30, 4_000_000_003), Drops(40, 4_000_000_003)));
    }

    [Fact]
    public void A_counter_that_wraps_grew_by_the_difference() => Assert.Equal(
        "10 Raised 16: drop +16 in 10 s",
        Run(new DropAlertRule(TimeSpan.FromSeconds(60)), Drops(0, uint.MaxValue - 5), Drops(10, 10)));

    /// <summary>After the kernel module is loaded again, the counters start from 0: 100 to 3 are 3 drops, and not 4,294,967,199.</summary>
    [Theory]
    [InlineData(100u, 0u, "")]
    [InlineData(100u, 3u, "10 Raised 3: drop +3 in 10 s")]
    [InlineData(3_000_000_000u, 0u, "")]
    public void A_counter_that_starts_again_grew_from_0(uint before, uint now, string alerts) =>
        Assert.Equal(alerts, Run(new DropAlertRule(TimeSpan.FromSeconds(60)), Drops(0, before), Drops(10, now)));

    [Fact]
    public void Another_namespace_of_the_same_name_has_other_counters() => Assert.Equal(
        "", Run(new DropAlertRule(TimeSpan.FromSeconds(60)), Drops(0, 5) with { Made = Noon }, Drops(10, 50) with { Made = Noon.AddHours(1) }));

    [Fact]
    public void Each_counter_of_drops_is_an_alert_and_other_counters_are_not()
    {
        StatReading before = Reading(0, new CpuCounters(0) { [Counter.Drop] = 0, [Counter.EarlyDrop] = 0, [Counter.InsertFailed] = 0, [Counter.Invalid] = 0 }, new CpuCounters(1) { [Counter.EarlyDrop] = 0 });
        StatReading now = Reading(10, new CpuCounters(0) { [Counter.Drop] = 0, [Counter.EarlyDrop] = 2, [Counter.InsertFailed] = 3, [Counter.Invalid] = 100 }, new CpuCounters(1) { [Counter.EarlyDrop] = 5 });
        Assert.Equal("10 Raised 10: early_drop +7, insert_failed +3 in 10 s", Run(new DropAlertRule(TimeSpan.FromSeconds(60)), before, now));
        StatReading invalid = Reading(10, new CpuCounters(0) { [Counter.Drop] = 0, [Counter.EarlyDrop] = 0, [Counter.InsertFailed] = 0, [Counter.Invalid] = 100 });
        Assert.Equal("", Run(new DropAlertRule(TimeSpan.FromSeconds(60)), before, invalid));
    }

    /// <summary>The system's time jumps by years, and the quiet time is still measured in seconds.</summary>
    [Theory]
    [InlineData(-20)]
    [InlineData(20)]
    public void A_jump_of_the_clock_changes_nothing(int years)
    {
        DropAlertRule rule = new(TimeSpan.FromSeconds(60));
        StatReading[] readings = [Drops(0, 0), Drops(10, 1), Drops(20, 1), Drops(69, 1)];
        Assert.Equal("10 Raised 1: drop +1 in 10 s", Run(rule, [.. readings.Select((reading, index) => index < 2 ? reading : reading with { Time = Noon.AddYears(years) })]));
        ConntrackAlert cleared = Assert.Single(rule.Check(Drops(70, 1) with { Time = Noon.AddYears(years) }));
        Assert.Equal((AlertState.Cleared, Noon.AddYears(years)), (cleared.State, cleared.Time));
    }

    [Fact]
    public void A_finding_is_raised_when_it_appears_and_cleared_when_it_is_gone()
    {
        FindingAlertRule rule = new(finding => finding.Name.StartsWith('T'));
        Assert.Equal(["Raised TableFull: full"], Check(Found("TableFull", "full"), Found("Other", "x")));
        Assert.Empty(Check(Found("TableFull", "fuller")));
        Assert.Equal(["Raised TooFewBuckets: few And 1 similar finding.", "Cleared TableFull: The health check no longer finds it."], Check(Found("TooFewBuckets", "few"), Found("TooFewBuckets", "more")));
        Assert.Equal(["Cleared TooFewBuckets: The health check no longer finds it."], Check());

        IEnumerable<string> Check(params HealthFinding[] findings) =>
            rule.Check(findings, isComplete: true, Noon, null).Select(alert => $"{alert.State} {alert.Finding}: {alert.Evidence}");
    }

    [Fact]
    public void A_finding_is_not_over_if_the_check_could_not_read_everything()
    {
        FindingAlertRule rule = new(_ => true);
        Assert.Single(rule.Check([Found("TableFull", "full")], isComplete: true, Noon, null));
        Assert.Empty(rule.Check([], isComplete: false, Noon, null));
        Assert.Equal(AlertState.Cleared, Assert.Single(rule.Check([], isComplete: true, Noon, null)).State);
    }

    [Fact]
    public void A_failure_is_raised_once()
    {
        ReadingAlertRule rule = new();
        Assert.Empty(rule.Check(null, "blue"));
        Assert.Equal("Raised Reading in blue: gone", Assert.Single(rule.Check(new IOException("gone"), "blue")).ToString());
        Assert.Empty(rule.Check(new IOException("still gone"), "blue"));
        Assert.Equal(AlertState.Cleared, Assert.Single(rule.Check(null, "blue")).State);
    }

    private static string Run(DropAlertRule rule, params StatReading[] readings) => string.Join('|', readings.SelectMany(reading =>
        rule.Check(reading).Select(alert => $"{reading.Timestamp / Stopwatch.Frequency} {alert.State} {alert.Value}: {alert.Evidence}")));

    private static StatReading Drops(int second, uint drops) => Reading(second, new CpuCounters(0) { [Counter.Drop] = drops });

    private static StatReading Reading(int second, params CpuCounters[] processors) =>
        new(0, 100, 100, processors, Noon.AddSeconds(second), second * Stopwatch.Frequency, "blue", null);

    private static StatReading Reading(long count, long maximum = 100) => new(count, maximum, 100, [], Noon, 0, "blue", null);

    private static HealthFinding Found(string name, string evidence) => new(FindingSeverity.Warning, name, evidence, "", []);
}
