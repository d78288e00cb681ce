using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Finds kernel log lines about a full table in the last day.</summary>
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

    /// <summary>A line from before the limit was persisted is not a warning: an administrator has already acted on it.</summary>
    private static FindingSeverity SeverityOf(HealthSnapshot snapshot, string setting, TimeSpan age) =>
        snapshot.Persisted.TryGetValue(setting, out TimeSpan persisted) && persisted < age ? FindingSeverity.Information : FindingSeverity.Warning;
}

/// <summary>The kernel's log lines about full tables. The kernel limits the rate of these lines.</summary>
/// <param name="TableFull">The number of lines about the table.</param>
/// <param name="TableFullAge">The age of the last one.</param>
/// <param name="ExpectationTableFull">The number of lines about the expectation table.</param>
/// <param name="ExpectationTableFullAge">The age of the last one.</param>
internal sealed record LogSummary(int TableFull, TimeSpan TableFullAge, int ExpectationTableFull, TimeSpan ExpectationTableFullAge)
{
    private const string Prefix = "nf_conntrack:";
    private const string TableFullText = "table full";
    private const string ExpectationText = "expectation table full";
    private const string OtherNamespace = "table full in netns ";

    /// <summary>Reads the log.</summary>
    /// <param name="inode">The network namespace's inode number.</param>
    /// <param name="findAge">Returns the minimum age of the namespace. Called only if lines have its number.</param>
    /// <param name="takesUnnamed">True if lines without a namespace may be about it.</param>
    /// <returns>Null if the log can't be read.</returns>
    public static LogSummary? Read(string inode, Func<TimeSpan> findAge, bool takesUnnamed)
    {
        if (KernelLog.Read(Prefix) is not { } records)
            return null;
        bool isNumbered = records.Any(record => IsOf(WithoutPrefix(record), inode));
        return Of(records, inode, isNumbered ? findAge() : TimeSpan.Zero, takesUnnamed, KernelLog.Now);
    }

    /// <summary>Newer kernels log the namespace of a full table unless it is the initial one, and never that of expectations. They reuse
    /// the number of a deleted namespace, so lines from before the namespace existed are about an earlier one.</summary>
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
