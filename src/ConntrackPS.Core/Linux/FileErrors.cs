using System.Runtime.InteropServices;

namespace ConntrackPS.Linux;

/// <summary>A name does not lead to what is looked for: it leads to a device, a pipe, nowhere.</summary>
/// <param name="path">What is in the way.</param>
/// <param name="problem">What it is, as the rest of a sentence about it.</param>
/// <param name="isMask">True where it leads to /dev/null: nothing is to be there.</param>
internal sealed class UnusableFileException(string path, string problem, bool isMask = false) : IOException($"{path} {problem}")
{
    /// <summary>What is in the way: the first link, or the device itself.</summary>
    public string Path { get; } = path;

    /// <summary>True where it leads to /dev/null: nothing is to be there.</summary>
    public bool IsMask { get; } = isMask;
}

/// <summary>Another program has put another file in a file's place, or changed it, since it was looked at.</summary>
internal sealed class FileChangedException(string path) : IOException($"{path} is changed by another program all the time")
{
    /// <summary>How often we begin anew, because another program changes the same file.</summary>
    private const int Attempts = 20;

    /// <summary>Does something anew, from what is there then, as long as another program comes between.</summary>
    public static T Again<T>(Func<T> action)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return action();
            }
            catch (FileChangedException) when (attempt < Attempts)
            {
                // Anew.
            }
        }
    }
}

/// <summary>Failed calls as the exceptions that .NET's files throw.</summary>
internal static class FileErrors
{
    /// <summary>The exception for the call that failed last on this thread.</summary>
    public static Exception Last(string what) => Of(what, Marshal.GetLastPInvokeError());

    public static Exception Of(string what, int errno)
    {
        string message = $"{what}: {Marshal.GetPInvokeErrorMessage(errno)}";
        return (Errno)errno is Errno.NotPermitted or Errno.AccessDenied
            ? new UnauthorizedAccessException(message)
            : new IOException(message, errno);
    }
}
