using ConntrackPS.Diagnosis.Statistics;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The hash table's size is out of proportion to the maximum.</summary>
internal sealed class BucketRule : IHealthRule
{
    /// <summary>Entries for each bucket at the maximum: kernels chose 4 once, and 1 since 5.15. Each entry is in two chains.</summary>
    private const int MostEntries = 4;

    /// <summary>Buckets for each entry at the maximum, past which they are of no use.</summary>
    private const int MostBuckets = 4;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Maximum == 0 || snapshot.Buckets == 0)
            yield break;
        if (snapshot.Counted[Counter.ChainTooLong] is > 0 and ulong refused)
        {
            yield return snapshot.Finding(
                FindingSeverity.Critical,
                "ChainTooLong",
                FormattableString.Invariant($"Entries refused for a long hash chain: {Figures.In(refused, snapshot.Sample)}; chains of {2.0 * snapshot.Count / snapshot.Buckets:0.#} entries on average, buckets {Figures.Of(snapshot.Buckets)}."),
                "Packets of new connections are dropped, since their place in the hash table holds too many entries.",
                snapshot.Set("Buckets", Math.Max(snapshot.Maximum, snapshot.Buckets * 2)));
        }
        else if (snapshot.Maximum > snapshot.Buckets * MostEntries)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Warning,
                "TooFewBuckets",
                Evidence(snapshot),
                "Long hash chains make every packet slow; newer kernels refuse entries for the longest.",
                Mend(snapshot));
        }
        else if (snapshot.Buckets > snapshot.Maximum * MostBuckets)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Information,
                "TooManyBuckets",
                Evidence(snapshot),
                "Most of the hash table stays empty: memory that could be spared, and longer walks over the table.",
                Mend(snapshot));
        }
    }

    /// <summary>A bucket for each entry; where the maximum is too big for the memory, for those that are not.</summary>
    private static Remedy Mend(HealthSnapshot snapshot) =>
        snapshot.Set("Buckets", Math.Max(1, Math.Min(snapshot.Maximum, snapshot.AffordableMaximum() ?? snapshot.Maximum)));

    private static string Evidence(HealthSnapshot snapshot) =>
        FormattableString.Invariant($"nf_conntrack_max {Figures.Of(snapshot.Maximum)}, buckets {Figures.Of(snapshot.Buckets)}: a full table has chains of {2.0 * snapshot.Maximum / snapshot.Buckets:0.#} entries.");
}
