namespace ConntrackPS.Diagnosis.Health;

/// <summary>Something about connection tracking that an administrator should know, with the command line that mends it.</summary>
/// <remarks>The core's <see cref="HealthFinding"/> has the remedy as data.</remarks>
public sealed class ConntrackFinding
{
    internal ConntrackFinding(HealthFinding finding)
    {
        Severity = finding.Severity;
        Name = finding.Name;
        Evidence = finding.Evidence;
        Explanation = RemedyText.Explain(finding);
        Remedy = RemedyText.Of(finding.Remedies);
        Namespace = finding.Namespace;
    }

    /// <summary>How bad it is.</summary>
    public FindingSeverity Severity { get; }

    /// <summary>What it is, as a stable name such as TableFull.</summary>
    public string Name { get; }

    /// <summary>The figures that show it.</summary>
    public string Evidence { get; }

    /// <summary>What they mean.</summary>
    public string Explanation { get; }

    /// <summary>A command line that mends it, or that shows more where there is nothing to mend by command.</summary>
    public string Remedy { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own, and for what all share.</summary>
    public string? Namespace { get; }

    /// <summary>On one line: <c>Critical TableFull: 262144 of 262144 entries</c>.</summary>
    public override string ToString() => $"{Severity} {Name}: {Evidence}";
}
