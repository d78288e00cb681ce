namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The next boot will set other values than those of now, or than those persisted by us.</summary>
internal sealed class PersistenceRule : IHealthRule
{
    public IEnumerable<ConntrackFinding> Check(HealthSnapshot snapshot)
    {
        foreach (PersistedDifference difference in snapshot.Differences)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "PersistedDiffers",
                $"{difference.Key} is {difference.Running}, and {difference.Persisted} by {difference.File}.",
                "The next boot will set the other value. The remedy keeps the present one.",
                difference.Remedy);
        }

        foreach (OverruledLine line in snapshot.Overruled)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "PersistedElsewhere",
                $"{line.Key} is {line.Ours} in the file of ConntrackPS, and {line.Theirs} by {line.File}, which is read later.",
                "The later file wins at boot. Take its line out, or change it.",
                $"Select-String -LiteralPath {Remedies.Quote(line.File)} -Pattern {Remedies.Quote(line.Key.Split('.')[^1])}");
        }
    }
}
