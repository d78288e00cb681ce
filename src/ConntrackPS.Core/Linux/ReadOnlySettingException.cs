namespace ConntrackPS.Linux;

/// <summary>Why nobody can write a kernel parameter from here, whatever the privilege.</summary>
public enum ReadOnlyReason
{
    /// <summary>The file's mode says so: the network namespace can only read it, since all share it.</summary>
    Namespace,

    /// <summary>EROFS: /proc/sys is mounted read-only, as it is in containers.</summary>
    Mount,
}

/// <summary>A kernel parameter that can't be written from here, whoever asks.</summary>
/// <param name="path">Its file below /proc/sys.</param>
/// <param name="networkNamespace">The namespace, as the user named it; null for the caller's own.</param>
/// <param name="reason">Why.</param>
public sealed class ReadOnlySettingException(string path, string? networkNamespace, ReadOnlyReason reason)
    : Exception(Describe(path, networkNamespace, reason))
{
    /// <summary>The parameter's file below /proc/sys.</summary>
    public string Path { get; } = path;

    /// <summary>The namespace, as the user named it; null for the caller's own.</summary>
    public string? NetworkNamespace { get; } = networkNamespace;

    /// <summary>Why it can't be written.</summary>
    public ReadOnlyReason Reason { get; } = reason;

    private static string Describe(string path, string? networkNamespace, ReadOnlyReason reason)
    {
        string name = System.IO.Path.GetFileName(path);
        if (reason == ReadOnlyReason.Mount)
            return $"{name} can't be written from here: /proc/sys is mounted read-only.";
        string where = networkNamespace is null ? "this network namespace" : $"network namespace '{networkNamespace}'";
        return $"{name} is read-only in {where}.";
    }
}
