using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>TCP handshakes that nobody finishes fill the table: a flood, a scan, or a server that is down.</summary>
internal sealed class HalfOpenRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.25;
    private const double OneSource = 0.5;

    /// <summary>For handshakes, in seconds.</summary>
    private const int ShortTimeout = 20;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.HalfOpen < Many || table.HalfOpen < table.Count * Share)
            yield break;
        IReadOnlyList<SourceCount> top = table.HalfOpenSources.Top(3);
        Remedy.DeleteEntries halfOpen = new(snapshot.Namespace) { States = [ConntrackState.SynSent, ConntrackState.SynRecv, ConntrackState.SynSent2] };
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "HalfOpenFlood",
            $"Half-open TCP connections: {Figures.Share(table.HalfOpen, table.Count)} entries; most from {Figures.Sources(top)}.",
            "Handshakes that nobody finishes: a SYN flood, a scan, or a server that does not answer. Each holds an entry for up to two minutes. Honest clients try again when theirs is removed.",
            top[0].Count >= table.HalfOpen * OneSource
                ? [halfOpen with { Source = top[0].Text }]
                : [snapshot.LastingTimeout(TimeoutState.SynSent, ShortTimeout), snapshot.LastingTimeout(TimeoutState.SynRecv, ShortTimeout), halfOpen]);
    }
}
