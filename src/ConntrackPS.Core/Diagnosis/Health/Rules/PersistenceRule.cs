using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The next boot will set other values than those of now, or than those persisted by us.</summary>
internal sealed class PersistenceRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        foreach (PersistedDifference difference in snapshot.Differences)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "PersistedDiffers",
                $"{difference.Key} is {difference.Running}, and {difference.Persisted} by {difference.File}.",
                "The next boot will set the other value. The remedy keeps the present one.",
                [.. difference.Remedies]);
        }

        foreach (OverruledLine line in snapshot.Overruled)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "PersistedElsewhere",
                $"{line.Key} is {line.Ours} in the file of ConntrackPS, and set again by {string.Join("; ", line.Later)}.",
                "The last line wins that a program reads. The remedy makes comments of those that come later.",
                [.. line.Remedies]);
        }

        foreach (string line in snapshot.WithoutEffect)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "PersistedWithoutEffect",
                line,
                "Whoever wrote it wanted a value that boot does not set. Take the line out, and persist what is wanted.",
                new Remedy.ShowPersisted());
        }

        // Mended by whoever knows what is wanted there: the remedy shows what boot has to read.
        foreach (string problem in snapshot.Unread)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "PersistedUnread",
                problem,
                "What the next boot sets is not to be told for sure, and boot itself may wait at such a file, or pass it over.",
                new Remedy.ListFiles([.. SystemRoot.SysctlDirectories.Append(SystemRoot.LastSysctlName).Select(snapshot.Root.In)]));
        }
    }
}
