namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The kernel's log tells of a full table, lately.</summary>
internal sealed class KernelLogRule : IHealthRule
{
    private static readonly TimeSpan Lately = TimeSpan.FromDays(1);

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Log is not { } log)
            yield break;
        if (log.TableFull > 0 && log.TableFullAge < Lately)
        {
            yield return snapshot.Finding(
                SeverityOf(snapshot, "nf_conntrack_max", log.TableFullAge),
                "TableFullLogged",
                $"Kernel log: 'table full, dropping packet' on {Figures.Of(log.TableFull)} lines, the last {Figures.Age(log.TableFullAge)}.",
                "The table was full, and packets of new connections were dropped. The kernel logs only some of the times.",
                snapshot.RaiseMaximum());
        }

        if (log.ExpectationTableFull > 0 && log.ExpectationTableFullAge < Lately
            && snapshot.Settings.TryGetValue("nf_conntrack_expect_max", out long maximum))
        {
            yield return snapshot.Finding(
                SeverityOf(snapshot, "nf_conntrack_expect_max", log.ExpectationTableFullAge),
                "ExpectationTableFull",
                $"Kernel log: 'expectation table full' on {Figures.Of(log.ExpectationTableFull)} lines, the last {Figures.Age(log.ExpectationTableFullAge)}; nf_conntrack_expect_max is {Figures.Of(maximum)}.",
                "Helpers could not announce connections, such as the data connections of FTP or the calls of SIP, which then fail.",
                snapshot.Set("ExpectationMaximum", maximum * 2));
        }
    }

    /// <summary>A line from before the limit was persisted is history: somebody saw it, and did something.</summary>
    private static FindingSeverity SeverityOf(HealthSnapshot snapshot, string setting, TimeSpan age) =>
        snapshot.Persisted.TryGetValue(setting, out TimeSpan persisted) && persisted < age ? FindingSeverity.Information : FindingSeverity.Warning;
}
