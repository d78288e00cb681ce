namespace ConntrackPS.Tuning.Settings;

/// <summary>This kernel has no such setting.</summary>
/// <param name="name">What was asked for.</param>
/// <param name="choices">The settings it has.</param>
internal sealed class UnknownSettingException(string name, IReadOnlyList<string> choices)
    : Exception($"This kernel has no setting '{name}'.{(IsNameOfTimeout(name) ? "" : $" It has {string.Join(", ", choices)}.")}")
{
    /// <summary>What was asked for.</summary>
    public string Name { get; } = name;

    /// <summary>Whether the name is like that of a timeout, which is no setting.</summary>
    internal bool IsOfTimeout { get; } = IsNameOfTimeout(name);

    private static bool IsNameOfTimeout(string name) => name.Contains("timeout", StringComparison.OrdinalIgnoreCase);
}
