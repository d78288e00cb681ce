namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Helpers read along, and open ports for what they read.</summary>
internal sealed class HelperRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Settings.TryGetValue("nf_conntrack_helper", out long automatic) && automatic != 0)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "AutomaticHelper",
                "nf_conntrack_helper is 1.",
                "Helpers attach themselves to every connection on their port, whoever made it, and let further connections in. Attach them by rule where they are wanted.",
                snapshot.LastingSetting("Helper", false));
        }

        if (snapshot.Table.Helpers is { Count: > 0 } helpers)
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "HelperInUse",
                $"Entries with helpers: {string.Join(", ", helpers.Select(helper => $"{helper.Key} ({Figures.Of(helper.Value)})"))}.",
                "Helpers read what these connections say, and let the connections in that they announce. See that these are the ones you want.",
                new Remedy.ListHelped(snapshot.Namespace, [.. helpers.Keys]));
        }
    }
}
