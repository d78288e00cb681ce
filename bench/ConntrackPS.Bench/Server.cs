using System.Globalization;
using ConntrackPS.Bench.Filling;
using ConntrackPS.Bench.Reading;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench;

/// <summary>Reads commands from standard input, one per line, so that a script can run warm measurements between others:
/// <c>fill N</c>, <c>count</c>, <c>raw</c>, <c>walk</c>, <c>parse</c>, <c>stream</c>, <c>health</c>,
/// <c>group</c>, <c>refresh</c>. Answers each with milliseconds and a number.</summary>
internal static class Server
{
    public static void Run(NetworkNamespace networkNamespace)
    {
        using TableLimit limit = new();
        while (Console.ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            if (words is ["fill", var count])
                limit.Raise(Options.Number("fill", count));
            Sample sample = Sample.Take(ToWorkload(words), networkNamespace);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{sample.Milliseconds:F3} {sample.Result}"));
        }
    }

    private static Workload ToWorkload(string[] words) => words switch
    {
        ["fill", var count] => new Workload("fill", networkNamespace => Fill(networkNamespace, Options.Number("fill", count))),
        ["count"] => new Workload("count", networkNamespace => ConntrackStat.Read(networkNamespace).Count ?? throw new BenchException("the count can't be read.")),
        [var name] => Workload.Named(name),
        _ => throw new BenchException($"'{string.Join(' ', words)}' is no order."),
    };

    private static long Fill(NetworkNamespace networkNamespace, int count)
    {
        TableFiller.Fill(networkNamespace, count);
        return count;
    }
}
