namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Half of the table was never answered; TCP handshakes are another rule's.</summary>
internal sealed class UnrepliedRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.5;
    private const double OneSource = 0.5;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.Unreplied < Many || table.Unreplied < table.Count * Share)
            yield break;
        IReadOnlyList<SourceCount> top = table.UnrepliedSources.Top(3);
        string? source = top[0].Count >= table.Unreplied * OneSource ? top[0].Text : null;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "Unreplied",
            $"Entries without a reply, TCP handshakes apart: {Figures.Share(table.Unreplied, table.Count)}; most from {Figures.Sources(top)}.",
            "Packets that nobody answers: a scan or a flood, a rule that drops replies, or traffic that is one-way by nature.",
            new Remedy.DeleteEntries(snapshot.Namespace) { Unreplied = true, Source = source });
    }
}
