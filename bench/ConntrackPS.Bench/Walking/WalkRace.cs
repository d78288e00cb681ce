using System.Globalization;
using ConntrackPS.Bench.Filling;
using ConntrackPS.Bench.Reading;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Linux;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Bench.Walking;

/// <summary>Races the walk in the kernel against netlink. They alternate in one process, so that other load affects both equally.</summary>
internal static class WalkRace
{
    private const int FewEntries = 100;

    /// <summary>A prefix that the synthetic table does not use (RFC 5737).</summary>
    private static readonly ConntrackFilter FewFilter = new() { SourceAddress = [AddressPrefix.Parse("203.0.113.0/24")] };

    private static readonly ConntrackFilter Everything = new();

    /// <summary>Prints Markdown: medians of wall and processor time, and the ratios of netlink to the walk.</summary>
    public static void Run(Options options)
    {
        NetworkNamespace networkNamespace = options.Namespace;
        RecreateFew(networkNamespace);
        long entries = ConntrackStat.Read(networkNamespace).Count ?? throw new BenchException("the count can't be read.");
        Console.WriteLine($"{entries} entries, {options.Rounds} rounds\n");
        Console.WriteLine("| | netlink ms | processor ms | walk ms | processor ms | ratio | of processor time |\n|---|---:|---:|---:|---:|---:|---:|");
        Duel("count per source, top 10", options, Group);
        Duel($"read a /24 with {FewEntries} entries", options, ReadFew);
        Duel($"delete a /24 with {FewEntries} entries", options, DeleteFew, RecreateFew);
        RecreateFew(networkNamespace);
        SnapshotReader[] readers = [new(Table(networkNamespace, TableEngine.Netlink)), new(Table(networkNamespace, TableEngine.Bpf))];
        TopSnapshot[] spares = [new(), new()];
        Duel("refresh the live view", options, (_, engine) =>
        {
            int index = engine == TableEngine.Bpf ? 1 : 0;
            spares[index] = readers[index].Read(Everything, spares[index], CancellationToken.None);
            return spares[index].Entries.Count;
        });
        WalkCost.PrintRuns(networkNamespace);
    }

    /// <summary>Counts per source until the process is killed.</summary>
    public static void Loop(TableEngine engine, NetworkNamespace networkNamespace)
    {
        while (true)
            Group(networkNamespace, engine);
    }

    /// <summary>The first round is not measured. It is also the first of the two readings that a refresh needs.</summary>
    private static void Duel(string name, Options options, Func<NetworkNamespace, TableEngine, long> run, Action<NetworkNamespace>? prepare = null)
    {
        TableEngine[] engines = [TableEngine.Netlink, TableEngine.Bpf];
        List<Sample>[] samples = [[], []];
        for (int round = 0; round <= options.Rounds; round++)
        {
            for (int i = 0; i < engines.Length; i++)
            {
                TableEngine engine = engines[i];
                prepare?.Invoke(options.Namespace);
                GC.Collect();
                Sample sample = Sample.Take(new Workload(name, networkNamespace => run(networkNamespace, engine)), options.Namespace);
                if (round > 0)
                    samples[i].Add(sample);
            }
        }

        if (samples[0].Concat(samples[1]).Select(sample => sample.Result).Distinct().Count() != 1)
            throw new BenchException($"{name}: netlink found {samples[0][0].Result}, and the walk {samples[1][0].Result}.");
        string Medians(int i) => string.Create(
            CultureInfo.InvariantCulture,
            $"{Sample.Median(samples[i].Select(sample => sample.Milliseconds)):F1} | {Sample.Median(samples[i].Select(sample => sample.Processor)):F1}");
        string Ratio(Func<Sample, double> read) => string.Create(
            CultureInfo.InvariantCulture, $"{Sample.Median(samples[0].Zip(samples[1], (netlink, walk) => read(netlink) / read(walk))):F1}");
        Console.WriteLine($"| {name} | {Medians(0)} | {Medians(1)} | {Ratio(sample => sample.Milliseconds)} | {Ratio(sample => sample.Processor)} |");
    }

    private static long Group(NetworkNamespace networkNamespace, TableEngine engine)
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")], Top = 10 });
        measurement.Read(Table(networkNamespace, engine));
        _ = measurement.Groups().Count();
        return measurement.Count;
    }

    private static long ReadFew(NetworkNamespace networkNamespace, TableEngine engine) => Table(networkNamespace, engine).Read(FewFilter).Count();

    private static long DeleteFew(NetworkNamespace networkNamespace, TableEngine engine) =>
        Table(networkNamespace, engine).Delete(FewFilter, refused => throw refused.Failure!).Deleted;

    private static void RecreateFew(NetworkNamespace networkNamespace)
    {
        Table(networkNamespace, TableEngine.Bpf).Delete(FewFilter, refused => throw refused.Failure!);
        TableFiller.Add(networkNamespace, Enumerable.Range(0, FewEntries).Select(FewEntry));
    }

    private static ConntrackEntry FewEntry(int index)
    {
        ConntrackEntry entry = SyntheticTable.Entry(0);
        ConntrackTuple original = entry.Data.Original with { Source = AddressPrefix.Parse($"203.0.113.{index}").Address };
        entry.Data.Original = original;
        entry.Data.Reply = entry.Data.Reply with { Destination = original.Source };
        return entry;
    }

    private static ConntrackTable Table(NetworkNamespace networkNamespace, TableEngine engine) => new(networkNamespace) { Engine = engine };
}
