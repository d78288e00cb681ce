using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>The rules for settings and files, and the common part of all rules.</summary>
public sealed class SettingRuleTests
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
    [InlineData("nf_conntrack_acct", "AccountingOff", "Set-ConntrackSetting -Name Accounting -Value $true -Persist")]
    [InlineData("nf_conntrack_timestamp", "TimestampOff", "Set-ConntrackSetting -Name Timestamp -Value $true -Persist")]
    [InlineData("nf_conntrack_events", "EventsOff", "Set-ConntrackSetting -Name Events -Value On -Persist")]
    public void What_is_off_is_worth_knowing(string setting, string name, string remedy)
    {
        ConntrackFinding finding = Assert.Single(HealthCheck.Judge(Healthy.With(setting, 0)).Shown());
        Assert.Equal((FindingSeverity.Information, name, remedy), (finding.Severity, finding.Name, finding.Remedy));
    }

    [Fact]
    public void Automatic_events_come_with_a_caveat() =>
        Assert.Contains("produce no events", Snapshots.Only(new EventRule(), Healthy.With("nf_conntrack_events", 2)).Explanation, StringComparison.Ordinal);

    [Fact]
    public void Helpers_are_worth_knowing_and_automatic_ones_a_warning()
    {
        TableSummary table = new(432000, 300);
        table.Helpers["ftp"] = 3;
        table.Helpers["sip"] = 2;
        ConntrackFinding inUse = Snapshots.Only(new HelperRule(), Healthy with { Table = table });
        Assert.Equal((FindingSeverity.Information, "HelperInUse"), (inUse.Severity, inUse.Name));
        Assert.Contains("ftp (3), sip (2)", inUse.Evidence, StringComparison.Ordinal);
        Assert.Equal("Get-ConntrackEntry -Helper ftp, sip", inUse.Remedy);
        Assert.Equal((FindingSeverity.Warning, "AutomaticHelper"), (Snapshots.Only(new HelperRule(), Healthy.With("nf_conntrack_helper", 1)) is var automatic ? automatic.Severity : default, automatic.Name));
        Assert.Empty(new HelperRule().Shown(Healthy.With("nf_conntrack_helper", 0)));
    }

    [Fact]
    public void Files_that_contradict_are_found()
    {
        ConntrackFinding[] findings = [.. new PersistenceRule().Shown(Healthy with
        {
            Differences = [new PersistedDifference("a.b", "1", "2", "/etc/sysctl.d/x.conf", [new Remedy.ShowSetting("Something")])],
            Overruled =
            [
                new OverruledLine(
                    "net.netfilter.c", "3", [new PersistedValue("net.netfilter.c", "4", "/etc/sysctl.conf", 7, "net.netfilter.c", BootReaders.Procps)], [new Remedy.ShowSetting("Another")]),
            ],
        })];
        Assert.Equal(["PersistedDiffers", "PersistedElsewhere"], findings.Select(finding => finding.Name));
        Assert.Equal("Get-ConntrackSetting -Name Something", findings[0].Remedy);
        Assert.Equal("Get-ConntrackSetting -Name Another", findings[1].Remedy);
        Assert.Equal("net.netfilter.c is 3 in the file of ConntrackPS, and set again by /etc/sysctl.conf line 7 to 4 (sysctl --system).", findings[1].Evidence);
        Assert.Equal(
            @"(Get-Content -Raw -Encoding latin1 -LiteralPath '/etc/zz.conf') -replace '(?m)^(?=[ \t]*-*[ \t]*[./]*net\S*[./]c[ \t]*(?:=|\r?$))', '# ' | Set-Content -NoNewline -Encoding latin1 -LiteralPath '/etc/zz.conf'",
            RemedyText.Of(new Remedy.CommentOut("/etc/zz.conf", "net.netfilter.c")));
        Assert.Equal("PersistedUnread", Assert.Single(new PersistenceRule().Shown(Healthy with { Unread = ["/x is a FIFO."] })).Name);
    }

    [Fact]
    public void Remedies_persist_where_the_files_were_read()
    {
        HealthSnapshot image = Healthy with { Root = new SystemRoot("/mnt/it's", isModular: false), Count = Healthy.Maximum };
        Assert.EndsWith(" -Persist -PersistRoot '/mnt/it''s'", Snapshots.Only(new TableFillRule(), image).Remedy, StringComparison.Ordinal);
        Assert.EndsWith(" -Persist -PersistRoot '/mnt/it''s'", Snapshots.Only(new AccountingRule(), image.With("nf_conntrack_acct", 0)).Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void In_a_named_namespace_nothing_is_persisted() => Assert.Equal(
        "Set-ConntrackSetting -Name Accounting -Value $true -NetworkNamespace 'it''s'",
        Snapshots.Only(new AccountingRule(), Healthy.With("nf_conntrack_acct", 0) with { Namespace = "it's", IsSetByBoot = false }).Remedy);
}
