using System.Diagnostics;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Runs other programs and waits for their end.</summary>
internal static class Shell
{
    /// <returns>The output of the program.</returns>
    /// <exception cref="InvalidOperationException">The program failed. The message contains its error output.</exception>
    public static string Run(string program, params IEnumerable<string> arguments)
    {
        string[] words = [.. arguments];
        ProcessStartInfo start = new(program, words) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;

        // Both pipes are read in parallel: a program that fills one while the other is read would block forever.
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException(
                $"{program} {string.Join(' ', words)} failed ({process.ExitCode}): {errors.GetAwaiter().GetResult()}");
    }
}
