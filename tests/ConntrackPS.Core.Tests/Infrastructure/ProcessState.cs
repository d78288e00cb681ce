namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The kernel resources of this process.</summary>
internal static class ProcessState
{
    /// <summary>Open sockets and eventfds, from /proc/self/fd.</summary>
    public static int CountDescriptors() => Directory.EnumerateFiles("/proc/self/fd").Count(file =>
    {
        // A descriptor may be closed during the loop.
        string target = new FileInfo(file).LinkTarget ?? "";
        return target.StartsWith("socket:", StringComparison.Ordinal) || target.Contains("[eventfd]", StringComparison.Ordinal);
    });

    /// <summary>The library's own threads, by the first 15 characters of their names, which the kernel keeps.</summary>
    public static int CountThreads() => Directory.EnumerateDirectories("/proc/self/task").Count(task =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).StartsWith("ConntrackPS", StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The thread ended meanwhile.
            return false;
        }
    });
}
