using System.Diagnostics;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench.Reading;

/// <summary>One run of a workload.</summary>
/// <param name="Milliseconds">The duration.</param>
/// <param name="Processor">Processor time of all threads, in milliseconds, which other load hardly changes.</param>
/// <param name="Allocated">Managed bytes allocated by all threads.</param>
/// <param name="Result">The result of the workload.</param>
internal readonly record struct Sample(double Milliseconds, double Processor, long Allocated, long Result)
{
    public static Sample Take(Workload workload, NetworkNamespace networkNamespace)
    {
        long allocated = GC.GetTotalAllocatedBytes(precise: true), started = Stopwatch.GetTimestamp();
        TimeSpan used = Environment.CpuUsage.TotalTime;
        long result = workload.Run(networkNamespace);
        double elapsed = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        double processor = (Environment.CpuUsage.TotalTime - used).TotalMilliseconds;
        return new Sample(elapsed, processor, GC.GetTotalAllocatedBytes(precise: true) - allocated, result);
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
