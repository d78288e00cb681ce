using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>A value that the next boot will set otherwise.</summary>
/// <param name="Key">The parameter, as sysctl(8) names it.</param>
/// <param name="Running">Its value now.</param>
/// <param name="Persisted">Its value after the next boot.</param>
/// <param name="File">The file that says so.</param>
/// <param name="Remedies">What persists the value it has now.</param>
internal sealed record PersistedDifference(string Key, string Running, string Persisted, string File, IReadOnlyList<Remedy> Remedies);

/// <summary>A line of our file in sysctl.d that later ones overrule, for some of those who read them.</summary>
/// <param name="Key">The parameter, as sysctl(8) names it.</param>
/// <param name="Ours">Its value in our file.</param>
/// <param name="Later">The lines that set it later, in their order.</param>
/// <param name="Remedies">What takes them out.</param>
internal sealed record OverruledLine(string Key, string Ours, IReadOnlyList<PersistedValue> Later, IReadOnlyList<Remedy> Remedies);
