using System.Globalization;
using ConntrackPS.Diagnosis;

namespace ConntrackPS.Bench.Reading;

/// <summary>Runs workloads in turn, round by round in one process, so that other load affects all of them equally.</summary>
internal static class Race
{
    private const int WarmUpRounds = 3;

    /// <summary>Prints medians, and ratios against the first workload.</summary>
    public static void Run(IReadOnlyList<Workload> workloads, Options options)
    {
        long entries = ConntrackStat.Read(options.Namespace).Count ?? throw new BenchException("the count can't be read.");
        List<Sample>[] samples = [.. workloads.Select(_ => new List<Sample>())];
        for (int round = -WarmUpRounds; round < options.Rounds; round++)
        {
            for (int i = 0; i < workloads.Count; i++)
            {
                Sample sample = Sample.Take(workloads[i], options.Namespace);
                if (round >= 0)
                    samples[i].Add(sample);
            }
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{entries} entries, {options.Rounds} rounds"));
        for (int i = 0; i < workloads.Count; i++)
            Print(workloads[i].Name, samples[i], samples[0], entries);
    }

    private static void Print(string name, List<Sample> samples, List<Sample> raw, long entries)
    {
        double median = Sample.Median(samples.Select(sample => sample.Milliseconds));
        double allocated = Sample.Median(samples.Select(sample => (double)sample.Allocated));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-7} {median,9:F1} ms {Ratio(samples, raw, sample => sample.Milliseconds),7:F3} x {median * 1e6 / entries,7:F0} ns/entry {allocated / entries,6:F0} B/entry   processor {Sample.Median(samples.Select(sample => sample.Processor)),9:F1} ms {Ratio(samples, raw, sample => sample.Processor),7:F3} x"));
    }

    /// <summary>The median of the rounds' ratios. On a busy machine it varies less than the ratio of the medians.</summary>
    private static double Ratio(List<Sample> samples, List<Sample> raw, Func<Sample, double> read) =>
        Sample.Median(samples.Zip(raw, (sample, first) => read(sample) / read(first)));
}
