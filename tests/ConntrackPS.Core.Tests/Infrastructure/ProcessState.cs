namespace ConntrackPS.Tests.Infrastructure;

/// <summary>What this process holds of the kernel.</summary>
internal static class ProcessState
{
    /// <summary>Open sockets and eventfds, by /proc/self/fd.</summary>
    public static int CountDescriptors() => Directory.EnumerateFiles("/proc/self/fd").Count(file =>
    {
        // A descriptor may be closed while we look.
        string target = new FileInfo(file).LinkTarget ?? "";
        return target.StartsWith("socket:", StringComparison.Ordinal) || target.Contains("[eventfd]", StringComparison.Ordinal);
    });

    /// <summary>The library's own threads, by the 15 characters of their name that the kernel keeps.</summary>
    public static int CountThreads() => Directory.EnumerateDirectories("/proc/self/task").Count(task =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).StartsWith("ConntrackPS", StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ended while we looked.
            return false;
        }
    });
}
