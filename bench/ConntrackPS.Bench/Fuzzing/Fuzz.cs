using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Fuzzing;

namespace ConntrackPS.Bench.Fuzzing;

/// <summary>Millions of mutants: of kernel messages, then of lines of text. The tests run a few of the same.</summary>
internal static class Fuzz
{
    /// <summary>Reads <c>--cases N</c> and <c>--seed N</c>, runs, and prints the result.</summary>
    /// <exception cref="BenchException">There was an unexpected result. It has been printed.</exception>
    public static void Run(ReadOnlySpan<string> args)
    {
        (int cases, int seed) = (1_000_000, 1);
        for (; args.Length >= 2; args = args[2..])
        {
            switch (args[0])
            {
                case "--cases":
                    cases = Options.Number(args[0], args[1]);
                    break;
                case "--seed":
                    seed = Options.Number(args[0], args[1]);
                    break;
                default:
                    throw new BenchException($"there is no option {args[0]}.");
            }
        }

        if (!args.IsEmpty)
            throw new BenchException($"{args[0]} wants a value.");
        Print("messages", seed, () => FuzzRun.Messages(cases, seed));
        Print("lines of text", seed, () => FuzzRun.Text(cases, seed));
    }

    private static void Print(string what, int seed, Func<FuzzReport> run)
    {
        long started = Stopwatch.GetTimestamp();
        FuzzReport report = run();
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Cases:N0} {what} of seed {seed}, {report.Cases / seconds:N0} a second; the slowest took {report.Slowest.TotalMilliseconds:N1} ms"));
        foreach ((string type, long count) in report.Exceptions.OrderByDescending(pair => pair.Value))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {type}: {count:N0}"));
        if (report.Failures.Count == 0)
            return;
        Console.WriteLine(string.Join('\n', report.Failures));
        throw new BenchException($"{report.Failures.Count} failures among {what}.");
    }
}
