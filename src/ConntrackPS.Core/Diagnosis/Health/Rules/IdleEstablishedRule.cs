using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Idle connections stay for the kernel's five days.</summary>
internal sealed class IdleEstablishedRule : IHealthRule
{
    private const long FiveDays = 432000;
    private const long Day = 86400;
    private const int Many = 1000;
    private const double Share = 0.2;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.EstablishedSeconds < FiveDays || table.IdleEstablished < Many || table.IdleEstablished < table.Count * Share)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "IdleEstablished",
            $"Established TCP connections idle for over 2 hours: {Figures.Share(table.IdleEstablished, table.Count)} entries; the timeout is {Figures.Of(table.EstablishedSeconds)} s.",
            "Most of these connections are dead: hosts went away without a word. The timeout of five days keeps them in the table. The remedy shortens it, and removes those that had gone under the shorter one.",
            snapshot.LastingTimeout(TimeoutState.Established, Day),
            new Remedy.DeleteEntries(snapshot.Namespace)
            {
                Protocol = IPProtocol.Tcp,
                States = [ConntrackState.Established],
                TimeoutBelow = table.EstablishedSeconds - Day,
                TimeoutAbove = table.ShortenedSeconds,
            });
    }
}
