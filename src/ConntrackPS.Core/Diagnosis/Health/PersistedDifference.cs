namespace ConntrackPS.Diagnosis.Health;

/// <summary>A value that the next boot will set otherwise.</summary>
/// <param name="Key">The parameter, as sysctl(8) names it.</param>
/// <param name="Running">Its value now.</param>
/// <param name="Persisted">Its value after the next boot.</param>
/// <param name="File">The file that says so.</param>
/// <param name="Remedy">The command line that persists the value it has now.</param>
internal sealed record PersistedDifference(string Key, string Running, string Persisted, string File, string Remedy);

/// <summary>A line of our file in sysctl.d that a later file overrules.</summary>
/// <param name="Key">The parameter, as sysctl(8) names it.</param>
/// <param name="Ours">Its value in our file.</param>
/// <param name="Theirs">Its value in the other file, which wins.</param>
/// <param name="File">The other file.</param>
/// <param name="Path">Where that is in truth, links followed within the root.</param>
internal sealed record OverruledLine(string Key, string Ours, string Theirs, string File, string Path);
