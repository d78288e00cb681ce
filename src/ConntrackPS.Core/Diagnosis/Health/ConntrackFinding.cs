namespace ConntrackPS.Diagnosis.Health;

/// <summary>Something about connection tracking that an administrator should know, and what to do about it.</summary>
/// <param name="severity">How bad it is.</param>
/// <param name="name">What it is, as a stable name.</param>
/// <param name="evidence">The figures that show it.</param>
/// <param name="explanation">What they mean.</param>
/// <param name="remedy">A command line that mends it, or shows more.</param>
/// <param name="networkNamespace">Where; null for the caller's own network namespace.</param>
public sealed class ConntrackFinding(
    FindingSeverity severity, string name, string evidence, string explanation, string remedy, string? networkNamespace = null)
{
    /// <summary>How bad it is.</summary>
    public FindingSeverity Severity { get; } = severity;

    /// <summary>What it is, as a stable name such as TableFull.</summary>
    public string Name { get; } = name;

    /// <summary>The figures that show it.</summary>
    public string Evidence { get; } = evidence;

    /// <summary>What they mean.</summary>
    public string Explanation { get; } = explanation;

    /// <summary>A command line that mends it, or that shows more where there is nothing to mend by command.</summary>
    public string Remedy { get; } = remedy;

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; } = networkNamespace;

    /// <summary>On one line: <c>Critical TableFull: 262144 of 262144 entries</c>.</summary>
    public override string ToString() => $"{Severity} {Name}: {Evidence}";
}
