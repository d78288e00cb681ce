namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>One source holds most of the table.</summary>
internal sealed class SourceShareRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.5;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.Count < Many || table.Sources.Top(1) is not [SourceCount source] || source.Count < Many || source.Count < table.Count * Share)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "SourceShare",
            $"{source.Text} holds {Figures.Share(source.Count, table.Count)} entries.",
            "One source with that much of the table is a proxy, a scanner, or an infected machine. Look at what it does first.",
            new Remedy.DeleteEntries(snapshot.Namespace) { Source = source.Text });
    }
}
