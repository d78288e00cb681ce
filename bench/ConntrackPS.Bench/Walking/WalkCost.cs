using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Bench.Reading;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench.Walking;

/// <summary>The costs that do not grow with the table: to prepare a walk, and the time that one run keeps a processor.</summary>
internal static class WalkCost
{
    private const int LaterOpens = 21;

    // As EntryWalk has them.
    private const int SliceLength = 512 * 1024, SliceCount = 4, StepsOfRun = 2048;

    /// <summary>Prints the milliseconds until a walk can begin: for the first of a process, the median of later ones, the first that needs
    /// ids, and the median of later ones with ids.</summary>
    /// <param name="networkNamespace">The network namespace.</param>
    /// <param name="isAlone">True if the process has used no netlink before. Auto always asks for the number of entries first.</param>
    public static void PrintStart(NetworkNamespace networkNamespace, bool isAlone)
    {
        if (!isAlone)
            _ = ConntrackStat.Read(networkNamespace);
        double first = Open(networkNamespace, EntryParts.None), later = Later(networkNamespace, EntryParts.None);
        double firstIds = Open(networkNamespace, EntryParts.Id), laterIds = Later(networkNamespace, EntryParts.Id);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{first:F1} {later:F2} {firstIds:F1} {laterIds:F2}"));
    }

    /// <summary>Runs the program over the whole table, on this thread alone, and prints its runs.</summary>
    public static void PrintRuns(NetworkNamespace networkNamespace)
    {
        WalkEnvironment environment = WalkEnvironment.Running;
        using WalkProgram program = environment.Load(EntryParts.Counters | EntryParts.StartTime, new WalkFilter(null, environment), SliceLength, SliceCount);
        ulong net = NetworkNamespace.RunIn(networkNamespace, environment.CurrentNet);
        List<double> runs = [];
        TimeSpan used = Environment.CpuUsage.TotalTime;
        long bucket = 0, buckets = WalkSearch.ReadBuckets();
        for (WalkStop stop = WalkStop.Rest; stop != WalkStop.End;)
        {
            int place = WalkProgram.Slices;
            long former = bucket, started = Stopwatch.GetTimestamp();
            stop = program.Run(ref bucket, buckets, ref place, place + SliceLength, net, 0, StepsOfRun).Stop;
            runs.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            if (bucket == former && stop != WalkStop.End)
                throw new BenchException("a run made no progress.");
        }

        double processor = (Environment.CpuUsage.TotalTime - used).TotalMilliseconds, all = runs.Sum();
        runs.Sort();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"\nThe program alone: {all:F0} ms ({processor:F0} ms of processor time) in {runs.Count} runs; median {Sample.Median(runs):F3} ms, 99 % {runs[runs.Count * 99 / 100]:F3} ms, longest {runs[^1]:F3} ms"));
    }

    private static double Later(NetworkNamespace networkNamespace, EntryParts parts) =>
        Sample.Median([.. Enumerable.Range(0, LaterOpens).Select(_ => Open(networkNamespace, parts))]);

    private static double Open(NetworkNamespace networkNamespace, EntryParts parts)
    {
        long started = Stopwatch.GetTimestamp();
        using EntryWalk walk = new(networkNamespace, null, new NoSink(), parts);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private sealed class NoSink : IEntrySink
    {
        public bool TakesInterrupted => false;

        public ConntrackEntry NextEntry() => new();

        public void Take(ConntrackEntry entry)
        {
        }

        public void Restart()
        {
        }
    }
}
