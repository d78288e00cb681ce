using BenchmarkDotNet.Running;
using ConntrackPS.Bench.Codec;
using ConntrackPS.Bench.Events;
using ConntrackPS.Bench.Filling;
using ConntrackPS.Bench.Fuzzing;
using ConntrackPS.Bench.Reading;
using ConntrackPS.Bench.Walking;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Bench;

/// <summary>Picks the verb.</summary>
internal static class Program
{
    private const string Usage = """
        usage: ConntrackPS.Bench fill  --namespace NAME [--count N]
               ConntrackPS.Bench raw | parse | stream  --namespace NAME [--rounds N]
               ConntrackPS.Bench race  --namespace NAME [--rounds N]
               ConntrackPS.Bench serve  --namespace NAME
               ConntrackPS.Bench events  --namespace NAME [--count N] [--rounds N]
               ConntrackPS.Bench walk  --namespace NAME [--rounds N]
               ConntrackPS.Bench walk-start | walk-start-alone | walk-loop | netlink-loop  --namespace NAME
               ConntrackPS.Bench fuzz  [--cases N] [--seed N]
               ConntrackPS.Bench codec [BenchmarkDotNet's options]
        """;

    private static int Main(string[] args)
    {
        try
        {
            Run(args.FirstOrDefault(), args.AsSpan(Math.Min(1, args.Length)));
            return 0;
        }
        catch (Exception exception) when (exception is BenchException or NetlinkException or NetworkNamespaceException or WalkUnavailableException)
        {
            Console.Error.WriteLine($"ConntrackPS.Bench: {exception.Message}\n{Usage}");
            return 1;
        }
    }

    private static void Run(string? verb, ReadOnlySpan<string> rest)
    {
        switch (verb)
        {
            case "fill":
                Options options = Options.Parse(rest);

                // Not restored, because the entries remain.
                new TableLimit().Raise(options.Count);
                TableFiller.Fill(options.Namespace, options.Count);
                break;
            case "raw" or "parse" or "stream":
                Race.Run([Workload.Named(verb)], Options.Parse(rest));
                break;
            case "race":
                Race.Run(Workload.All, Options.Parse(rest));
                break;
            case "serve":
                Server.Run(Options.Parse(rest).Namespace);
                break;
            case "events":
                EventRace.Run(Options.Parse(rest));
                break;
            case "walk":
                WalkRace.Run(Options.Parse(rest));
                break;
            case "walk-start":
                WalkCost.PrintStart(Options.Parse(rest).Namespace, isAlone: false);
                break;
            case "walk-start-alone":
                WalkCost.PrintStart(Options.Parse(rest).Namespace, isAlone: true);
                break;
            case "walk-loop":
                WalkRace.Loop(TableEngine.Bpf, Options.Parse(rest).Namespace);
                break;
            case "netlink-loop":
                WalkRace.Loop(TableEngine.Netlink, Options.Parse(rest).Namespace);
                break;
            case "fuzz":
                Fuzz.Run(rest);
                break;
            case "codec":
                BenchmarkSwitcher.FromTypes([typeof(DecoderBenchmarks), typeof(EncoderBenchmarks)]).Run(rest.ToArray(), CodecConfig.Create());
                break;
            default:
                throw new BenchException("say what to do.");
        }
    }
}
