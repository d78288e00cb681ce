using ConntrackPS.Diagnosis.Statistics;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Packets are being dropped, or entries to make room for new ones, right now.</summary>
internal sealed class DropRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Counted[Counter.Drop] is > 0 and ulong dropped)
        {
            yield return snapshot.Finding(
                FindingSeverity.Critical,
                "PacketsDropped",
                $"Packets dropped: {Figures.In(dropped, snapshot.Sample)}; entries: {Figures.Share(snapshot.Count, snapshot.Maximum)}.",
                "Packets of new connections are dropped: the table is full, memory is short, or two packets began the same connection.",
                snapshot.RaiseMaximum());
        }

        if (snapshot.Counted[Counter.EarlyDrop] is > 0 and ulong early)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "EarlyDrop",
                $"Entries dropped early: {Figures.In(early, snapshot.Sample)}.",
                "The full table throws connections out that are not assured, unanswered ones among them, to make room for new ones.",
                snapshot.RaiseMaximum());
        }
    }
}
