namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The hash table was resized again and again while the table was listed.</summary>
internal sealed class ResizeRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.VainListings > 0)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Warning,
                "TableResized",
                $"Listings of the table: {Figures.Of(snapshot.VainListings)}, and the hash table was resized during each; buckets {Figures.Of(snapshot.Buckets)}.",
                "Something sets nf_conntrack_buckets again and again. Each time packets wait until every entry has been moved, and listings lose entries: findings about entries rest on a part of the table.",
                new Remedy.ShowSetting("Buckets"));
        }
    }
}
