using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>The kernel's log has lines about a full table, of the last day.</summary>
internal sealed class KernelLogRule : IHealthRule
{
    private static readonly TimeSpan Recent = TimeSpan.FromDays(1);

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Log is not { } log)
            yield break;
        if (log.TableFull > 0 && log.TableFullAge < Recent)
        {
            yield return snapshot.Finding(
                SeverityOf(snapshot, "nf_conntrack_max", log.TableFullAge),
                "TableFullLogged",
                $"Kernel log: 'table full, dropping packet' on {Figures.Of(log.TableFull)} lines, the last {Figures.Age(log.TableFullAge)}.",
                "The table was full, and the kernel dropped packets of new connections. The kernel does not log every drop.",
                snapshot.RaiseMaximum());
        }

        if (log.ExpectationTableFull > 0 && log.ExpectationTableFullAge < Recent
            && snapshot.Settings.TryGetValue("nf_conntrack_expect_max", out long maximum))
        {
            yield return snapshot.Finding(
                SeverityOf(snapshot, "nf_conntrack_expect_max", log.ExpectationTableFullAge),
                "ExpectationTableFull",
                $"Kernel log: 'expectation table full' on {Figures.Of(log.ExpectationTableFull)} lines, the last {Figures.Age(log.ExpectationTableFullAge)}; nf_conntrack_expect_max is {Figures.Of(maximum)}.",
                "Helpers could not create expectations. The data connections of FTP or the calls of SIP then fail.",
                snapshot.Set("ExpectationMaximum", maximum * 2));
        }
    }

    /// <summary>A line from before the limit was persisted is no warning any more: an administrator has acted on it.</summary>
    private static FindingSeverity SeverityOf(HealthSnapshot snapshot, string setting, TimeSpan age) =>
        snapshot.Persisted.TryGetValue(setting, out TimeSpan persisted) && persisted < age ? FindingSeverity.Information : FindingSeverity.Warning;
}

/// <summary>How often the kernel logged that a table is full; it logs at most some of the times.</summary>
/// <param name="TableFull">Lines about the table.</param>
/// <param name="TableFullAge">Since the last of these.</param>
/// <param name="ExpectationTableFull">Lines about expectations.</param>
/// <param name="ExpectationTableFullAge">Since the last of these.</param>
internal sealed record LogSummary(int TableFull, TimeSpan TableFullAge, int ExpectationTableFull, TimeSpan ExpectationTableFullAge)
{
    private const string Prefix = "nf_conntrack:";
    private const string TableFullText = "table full";
    private const string ExpectationText = "expectation table full";
    private const string OtherNamespace = "table full in netns ";

    /// <summary>Reads the log.</summary>
    /// <param name="inode">The network namespace's inode number.</param>
    /// <param name="findAge">Finds out how long there has been that namespace for sure; asked only if lines have the number.</param>
    /// <param name="takesUnnamed">Whether lines that name no namespace may be about it.</param>
    /// <returns>Null where it can't be read.</returns>
    public static LogSummary? Read(string inode, Func<TimeSpan> findAge, bool takesUnnamed)
    {
        if (KernelLog.Read(Prefix) is not { } records)
            return null;
        bool isNumbered = records.Any(record => IsOf(WithoutPrefix(record), inode));
        return Of(records, inode, isNumbered ? findAge() : TimeSpan.Zero, takesUnnamed, KernelLog.Now);
    }

    /// <summary>Newer kernels name the namespace of a full table, unless it is the initial one; never that of expectations.
    /// They number a new one as one that is gone: lines from before its time were about that.</summary>
    internal static LogSummary Of(IEnumerable<KernelLogRecord> records, string inode, TimeSpan namespaceAge, bool takesUnnamed, TimeSpan now)
    {
        LogSummary summary = new(0, default, 0, default);
        foreach (KernelLogRecord record in records)
        {
            string text = WithoutPrefix(record);
            TimeSpan age = now - record.SinceBoot;
            if (text.StartsWith(ExpectationText, StringComparison.Ordinal) && takesUnnamed)
                summary = summary with { ExpectationTableFull = summary.ExpectationTableFull + 1, ExpectationTableFullAge = age };
            else if (text.StartsWith(OtherNamespace, StringComparison.Ordinal) ? age < namespaceAge && IsOf(text, inode) : takesUnnamed && text.StartsWith(TableFullText, StringComparison.Ordinal))
                summary = summary with { TableFull = summary.TableFull + 1, TableFullAge = age };
        }

        return summary;
    }

    private static string WithoutPrefix(KernelLogRecord record) => record.Text.Replace("nf_conntrack: ", "", StringComparison.Ordinal);

    private static bool IsOf(string text, string inode) =>
        text.StartsWith(OtherNamespace, StringComparison.Ordinal)
        && text.AsSpan(OtherNamespace.Length).StartsWith(string.Create(CultureInfo.InvariantCulture, $"{inode},"), StringComparison.Ordinal);
}
