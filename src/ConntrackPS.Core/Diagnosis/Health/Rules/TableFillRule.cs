namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The table is full, or nearly.</summary>
internal sealed class TableFillRule : IHealthRule
{
    private const double Full = 0.98;
    private const double NearlyFull = 0.8;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Fill < NearlyFull)
            yield break;
        bool isFull = snapshot.Fill >= Full;
        yield return snapshot.Finding(
            isFull ? FindingSeverity.Critical : FindingSeverity.Warning,
            isFull ? "TableFull" : "TableNearlyFull",
            $"Entries: {Figures.Share(snapshot.Count, snapshot.Maximum)} of nf_conntrack_max.",
            isFull
                ? "A full table takes no new connection: their packets are dropped, unless an unanswered one makes room."
                : "A full table takes no new connection. Raise the maximum, or find out who fills the table.",
            snapshot.RaiseMaximum());
    }
}
