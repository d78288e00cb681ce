namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>TCP handshakes that nobody finishes fill the table: a flood, a scan, or a server that is down.</summary>
internal sealed class HalfOpenRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.25;
    private const double OneSource = 0.5;

    public IEnumerable<ConntrackFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.HalfOpen < Many || table.HalfOpen < table.Count * Share)
            yield break;
        IReadOnlyList<SourceCount> top = table.HalfOpenSources.Top(3);
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "HalfOpenFlood",
            $"Half-open TCP connections: {Figures.Share(table.HalfOpen, table.Count)} entries; most from {Figures.Sources(top)}.",
            "Handshakes that nobody finishes: a SYN flood, a scan, or a server that does not answer. Each holds an entry for up to two minutes.",
            top[0].Count >= table.HalfOpen * OneSource
                ? snapshot.In($"Remove-ConntrackEntry -SourceAddress {top[0].Text} -State SynSent, SynRecv, SynSent2")
                : $"{snapshot.Lasting("Set-ConntrackTimeout -Protocol Tcp -State SynSent -TimeoutSeconds 20")}; "
                    + snapshot.Lasting("Set-ConntrackTimeout -Protocol Tcp -State SynRecv -TimeoutSeconds 20"));
    }
}
