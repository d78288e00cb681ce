using ConntrackPS.Diagnosis.Statistics;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Connections clash: two packets want the same place in the table.</summary>
internal sealed class InsertFailedRule : IHealthRule
{
    /// <summary>Clashes per second that the kernel resolved, which only tell of how the traffic is.</summary>
    private const int ManyClashes = 100;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        ulong failed = snapshot.Counted[Counter.InsertFailed] ?? 0, resolved = snapshot.Counted[Counter.ClashResolve] ?? 0;
        if (failed > 0)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "InsertFailed",
                $"Entries not inserted: {Figures.In(failed, snapshot.Sample)}; clashes resolved: {Figures.Of((long)resolved)}.",
                "Packets were dropped because another had taken their tuple: two requests from one port at once, as resolvers send them, or too few ports for translation (nft: masquerade fully-random).",
                new Remedy.ShowCounters(snapshot.Namespace));
        }
        else if (resolved > snapshot.Sample.TotalSeconds * ManyClashes)
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "Clashes",
                $"Clashes resolved: {Figures.In(resolved, snapshot.Sample)}.",
                "Packets often begin the same connection at once. The kernel resolved it; nothing was lost.",
                new Remedy.ShowCounters(snapshot.Namespace));
        }
    }
}
