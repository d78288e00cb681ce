using System.Diagnostics;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Runs other programs to their end.</summary>
internal static class Shell
{
    /// <returns>What the program printed.</returns>
    /// <exception cref="InvalidOperationException">It failed; the message holds its own words.</exception>
    public static string Run(string program, params IEnumerable<string> arguments)
    {
        string[] words = [.. arguments];
        ProcessStartInfo start = new(program, words) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;

        // Both pipes are read at once: a program that fills one while we wait on the other would never end.
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException(
                $"{program} {string.Join(' ', words)} failed ({process.ExitCode}): {errors.GetAwaiter().GetResult()}");
    }
}
