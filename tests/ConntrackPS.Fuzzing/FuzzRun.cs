using System.Diagnostics;
using ConntrackPS.Netlink;

namespace ConntrackPS.Fuzzing;

/// <summary>Reads mutants, and counts the results.</summary>
internal static class FuzzRun
{
    /// <summary>Messages: a mutant is decoded, or throws <see cref="NetlinkProtocolException"/>. A read past its end ends the process (see
    /// <see cref="GuardedMemory"/>).</summary>
    public static FuzzReport Messages(long cases, int seed)
    {
        MessageMutator mutator = new(CorpusMessage.LoadAll(), seed);
        using GuardedMemory memory = new(MessageMutator.MaximumSize);
        byte[] mutant = [];
        return Run(
            cases,
            () => MessageReading.Read(memory.Place(mutant = mutator.Next().ToArray())),
            exception => exception is NetlinkProtocolException,
            () => Convert.ToHexStringLower(mutant));
    }

    /// <summary>Lines: the parser never throws; it reports problems.</summary>
    public static FuzzReport Text(long cases, int seed)
    {
        TextMutator mutator = new(TextMutator.LoadAllLines(), seed);
        TextReading reading = new();
        string mutant = "";
        return Run(cases, () => reading.Read(mutant = mutator.Next()), _ => false, () => mutant);
    }

    private static FuzzReport Run(long cases, Action read, Predicate<Exception> isExpected, Func<string> describe)
    {
        Dictionary<string, long> exceptions = [];
        List<string> failures = [];
        long slowest = 0, done = 0;
        for (; done < cases && failures.Count < FuzzReport.MaximumFailures; done++)
        {
            long started = Stopwatch.GetTimestamp();
            try
            {
                read();
            }
#pragma warning disable CA1031 // The type of the exception is the result.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                string type = exception.GetType().Name;
                exceptions[type] = exceptions.GetValueOrDefault(type) + 1;
                if (!isExpected(exception))
                    failures.Add($"case {done}: {describe()}\n{exception}");
            }

            slowest = Math.Max(slowest, Stopwatch.GetTimestamp() - started);
        }

        return new FuzzReport(done, exceptions, failures, Stopwatch.GetElapsedTime(0, slowest));
    }
}
