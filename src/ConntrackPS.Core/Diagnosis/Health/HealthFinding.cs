namespace ConntrackPS.Diagnosis.Health;

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>Worth knowing; nothing is wrong.</summary>
    Information,

    /// <summary>Something is wrong, or soon will be.</summary>
    Warning,

    /// <summary>Packets are being lost.</summary>
    Critical,
}

/// <summary>Something about connection tracking that an administrator should know, and what to do about it.</summary>
public sealed class HealthFinding
{
    internal HealthFinding(
        FindingSeverity severity, string name, string evidence, string explanation, IReadOnlyList<Remedy> remedies, string? networkNamespace = null) =>
        (Severity, Name, Evidence, Explanation, Remedies, Namespace) = (severity, name, evidence, explanation, remedies, networkNamespace);

    /// <summary>How bad it is.</summary>
    public FindingSeverity Severity { get; }

    /// <summary>What it is, as a stable name such as TableFull.</summary>
    public string Name { get; }

    /// <summary>The figures that show it.</summary>
    public string Evidence { get; }

    /// <summary>What they mean.</summary>
    public string Explanation { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own, and for what all share.</summary>
    public string? Namespace { get; }

    /// <summary>What mends it, in this order; or what shows more, where nothing is to be mended so.</summary>
    internal IReadOnlyList<Remedy> Remedies { get; }

    /// <summary>On one line: <c>Critical TableFull: 262144 of 262144 entries</c>.</summary>
    public override string ToString() => $"{Severity} {Name}: {Evidence}";
}
