namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Idle connections stay for the kernel's five days.</summary>
internal sealed class IdleEstablishedRule : IHealthRule
{
    private const long FiveDays = 432000;
    private const int Many = 1000;
    private const double Share = 0.2;

    public IEnumerable<ConntrackFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.EstablishedSeconds < FiveDays || table.IdleEstablished < Many || table.IdleEstablished < table.Count * Share)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "IdleEstablished",
            $"Established TCP connections idle for over 2 hours: {Figures.Share(table.IdleEstablished, table.Count)} entries; the timeout is {Figures.Of(table.EstablishedSeconds)} s.",
            "Most of these connections are dead: hosts went away without a word. The timeout of five days keeps them in the table.",
            snapshot.Lasting("Set-ConntrackTimeout -Protocol Tcp -State Established -TimeoutSeconds 1d"));
    }
}
