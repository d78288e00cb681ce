namespace ConntrackPS.Tuning.Settings;

/// <summary>This kernel has no such setting.</summary>
/// <param name="name">What was asked for.</param>
/// <param name="choices">The settings it has.</param>
public sealed class UnknownSettingException(string name, IReadOnlyList<string> choices)
    : Exception($"This kernel has no setting '{name}'. It has {string.Join(", ", choices)}.")
{
    /// <summary>What was asked for.</summary>
    public string Name { get; } = name;
}
