namespace ConntrackPS.Linux;

/// <summary>A kernel parameter that can't be written in this network namespace, whoever asks.</summary>
/// <param name="path">Its file below /proc/sys.</param>
/// <param name="networkNamespace">The namespace, as the user named it; null for the caller's own.</param>
/// <param name="inner">How that showed.</param>
public sealed class ReadOnlySettingException(string path, string? networkNamespace, Exception? inner = null)
    : Exception(Describe(path, networkNamespace), inner)
{
    /// <summary>The parameter's file below /proc/sys.</summary>
    public string Path { get; } = path;

    private static string Describe(string path, string? networkNamespace)
    {
        string where = networkNamespace is null ? "this network namespace" : $"network namespace '{networkNamespace}'";
        return $"{System.IO.Path.GetFileName(path)} is read-only in {where}.";
    }
}
