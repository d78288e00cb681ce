namespace ConntrackPS.Linux;

/// <summary>A kernel parameter whose value is none that can be used.</summary>
/// <param name="path">Its file below /proc/sys.</param>
/// <param name="problem">What is wrong, as the rest of a sentence about it.</param>
/// <param name="inner">How that showed.</param>
public sealed class UnreadableSettingException(string path, string problem, Exception? inner = null)
    : Exception($"{System.IO.Path.GetFileName(path)} {problem}.", inner)
{
    /// <summary>The parameter's file below /proc/sys.</summary>
    public string Path { get; } = path;
}
