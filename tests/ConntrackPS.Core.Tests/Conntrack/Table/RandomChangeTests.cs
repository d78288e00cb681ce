using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Random deletions and changes on a table in which another entry has nearly every tuple too. After each of them conntrack shows
/// exactly the expected entries.</summary>
/// <remarks>Runs for CONNTRACKPS_DRIVER_SECONDS seconds, or for a few rounds if it is not set.</remarks>
public sealed class RandomChangeTests(ITestOutputHelper output) : IDisposable
{
    private const int Seed = 20261128;

    /// <summary>Listings lose and repeat entries while another program resizes the kernel's hash table, which all namespaces share. So
    /// conntrack runs again after that. The table does not change meanwhile, so this hides no error.</summary>
    private const int Looks = 120;

    private static readonly int Rounds = Exhaustive.Rounds(6, 60);

    private readonly NetworkNamespaceFixture _ns = new();
    private readonly List<EntryKey> _ended = [];
    private readonly SortedDictionary<string, int> _done = [];
    private Random _random = new(Seed);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void The_table_holds_exactly_what_it_should_after_each_operation()
    {
        TimeSpan duration = TimeSpan.FromSeconds(
            int.Parse(Environment.GetEnvironmentVariable("CONNTRACKPS_DRIVER_SECONDS") ?? "0", CultureInfo.InvariantCulture));
        Stopwatch watch = Stopwatch.StartNew();
        int round = 0;
        for (; round < Rounds || watch.Elapsed < duration; round++)
        {
            _random = new Random(Seed + round);
            Fill();
            for (int step = 0; step < 12; step++)
                Step(round, step);
        }

        output.WriteLine($"{round} rounds from seed {Seed} in {watch.Elapsed.TotalSeconds:0} s: {string.Join(", ", _done.Select(pair => $"{pair.Value} {pair.Key}"))}");
        Assert.True(_done["crossed entries"] > 10 * Rounds, $"only {_done["crossed entries"]} crossed entries");
        Assert.True(_done["newcomers"] > Rounds / 2, $"only {_done["newcomers"]} newcomers");
    }

    /// <summary>Uses few addresses, ports and zones. The kernel refuses entries that it can't distinguish from existing ones.</summary>
    private void Fill()
    {
        _ns.Table.Clear();
        _ended.Clear();
        Create(60);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        HashSet<ConntrackTuple> replies = [.. entries.Select(entry => entry.Reply)];
        Count("entries", entries.Count);
        Count("crossed entries", entries.Count(entry => replies.Contains(entry.Original)));
    }

    private void Create(int attempts)
    {
        using EntryCreator creator = _ns.Table.CreateCreator();
        for (int i = 0; i < attempts; i++)
            creator.Add(NextEntry(), i);
        creator.Flush();
        creator.TakeResults();
    }

    private ConntrackEntry NextEntry()
    {
        string source = Host(), destination = Host(), elsewhere = Host();
        ConntrackEntry entry = _random.Next(3) switch
        {
            0 => Entries.Generic((IPProtocol)50, source, destination),
            1 => Entries.Udp(source, Port(), destination, Port()),
            _ => Entries.Tcp(source, Port(), destination, Port()).WithState(ConntrackState.Established),
        };

        // A different reply without a translation, so that the kernel accepts it unchanged.
        if (_random.Next(2) == 0)
            entry.Reply = _random.Next(2) == 0
                ? entry.Reply with { Source = Entries.Address(elsewhere).Bits }
                : entry.Reply with { Destination = Entries.Address(elsewhere).Bits };
        ushort zone = (ushort)_random.Next(1, 4);
        switch (_random.Next(4))
        {
            case 0:
                entry.Zone = zone;
                break;
            case 1:
                entry.WithZone(TupleDirection.Original, zone);
                break;
            case 2:
                entry.WithZone(TupleDirection.Reply, zone);
                break;
        }

        entry.Mark = (uint)_random.Next(1, 1000);
        return entry;

        string Host() => $"10.0.0.{_random.Next(1, 4)}";

        int Port() => _random.Next(1, 3);
    }

    private void Step(int round, int step)
    {
        List<ConntrackEntry> before = ReadWhole(round, step);
        SortedDictionary<uint, uint> expected = Marks(before);
        ConntrackEntry[] chosen = [.. before.Where(_ => _random.Next(6) == 0)];
        string what = _random.Next(7) switch
        {
            0 or 1 => Delete(chosen, expected),
            2 or 3 => Change(chosen, expected),
            4 => End(chosen, expected),
            5 => UseOldNames(before),
            _ => DeleteByFilter(before, expected),
        };
        Assert.True(IsShown(() => expected), $"seed {Seed}, round {round}, step {step}: {what}\nof {string.Join('\n', before)}\nchosen {string.Join('\n', chosen.ToList())}");
        AssertFound(before, expected);
        if (_random.Next(3) == 0)
            Create(20);
    }

    private string Delete(ConntrackEntry[] chosen, SortedDictionary<uint, uint> expected)
    {
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        foreach (ConntrackEntry entry in chosen)
        {
            deleter.Add(NameOf(entry), entry);
            Forget(entry, expected);
        }

        deleter.Flush();
        Assert.Equal((chosen.Length, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Count("deletions", chosen.Length);
        return "delete";
    }

    private string Change(ConntrackEntry[] chosen, SortedDictionary<uint, uint> expected)
    {
        uint mark = (uint)_random.Next(1000, 2000);
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        foreach (ConntrackEntry entry in chosen)
        {
            updater.Add(NameOf(entry), new EntryChange { Mark = new MaskedMark(mark), SetStatus = ConntrackStatus.SeenReply }, entry);
            expected[entry.Id!.Value] = mark;
        }

        updater.Flush();
        Assert.Equal((chosen.Length, 0L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Count("changes", chosen.Length);
        return "change";
    }

    private string End(ConntrackEntry[] chosen, SortedDictionary<uint, uint> expected)
    {
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        foreach (ConntrackEntry entry in chosen)
        {
            updater.Add(NameOf(entry), new EntryChange { TimeoutSeconds = 0 }, entry);
            Forget(entry, expected);
        }

        updater.Flush();
        Assert.Equal((chosen.Length, 0L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Count("ends by timeout", chosen.Length);
        return "end";
    }

    /// <summary>Complete keys of entries that have ended. If a new entry has the same tuple and id, the key identifies that one.</summary>
    private string UseOldNames(List<ConntrackEntry> before)
    {
        HashSet<uint?> living = [.. before.Select(entry => entry.Id)];
        List<EntryKey> old = [.. _ended.Where(key => !living.Contains(key.Id))];
        HashSet<ConntrackTuple> tuples = [.. before.Select(entry => entry.Original)];
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        foreach (EntryKey key in old)
        {
            deleter.Add(key, key);
            updater.Add(key, new EntryChange { Mark = new MaskedMark(77777) }, key);
        }

        deleter.Flush();
        updater.Flush();
        Assert.Equal((0L, old.Count, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Equal((0L, old.Count, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Count("old names", old.Count);
        Count("newcomers", old.Count(key => tuples.Contains(key.Original)));
        return "old names";
    }

    private string DeleteByFilter(List<ConntrackEntry> before, SortedDictionary<uint, uint> expected)
    {
        if (before.Count == 0)
            return "nothing";
        ConntrackFilter filter = new RandomFilters(_random, before).Next();
        foreach (ConntrackEntry entry in before.Where(filter.Matches))
            Forget(entry, expected);
        _ns.Table.Delete(filter, result => Assert.Fail($"{filter}: {result.Failure}"));
        Count("filters", 1);
        return filter.ToString();
    }

    /// <summary>Each existing entry is found by its key, and no ended one.</summary>
    private void AssertFound(List<ConntrackEntry> before, SortedDictionary<uint, uint> expected)
    {
        using EntryFinder finder = _ns.Table.CreateFinder();
        foreach (ConntrackEntry entry in before)
            Assert.Equal(expected.ContainsKey(entry.Id!.Value) ? entry.Id : null, finder.Find(NameOf(entry))?.Id);
        Count("look-ups", before.Count);
    }

    /// <summary>With an id, without an id, or only the original direction: each identifies one entry.</summary>
    private EntryKey NameOf(ConntrackEntry entry) => _random.Next(3) switch
    {
        0 => EntryKey.Of(entry),
        1 => EntryKey.Of(entry) with { Id = null },
        _ => EntryKey.Of(entry) with { Id = null, Reply = null },
    };

    private void Forget(ConntrackEntry entry, SortedDictionary<uint, uint> expected)
    {
        expected.Remove(entry.Id!.Value);
        _ended.Add(EntryKey.Of(entry));
    }

    private List<ConntrackEntry> ReadWhole(int round, int step)
    {
        List<ConntrackEntry> entries = [];
        Assert.True(IsShown(() => Marks(entries = [.. _ns.Table.Read()])), $"seed {Seed}, round {round}, step {step}: the table reads as {string.Join('\n', entries)}");
        return entries;
    }

    /// <summary>True if conntrack shows these ids and marks.</summary>
    private bool IsShown(Func<SortedDictionary<uint, uint>> marks)
    {
        for (int look = 1; look <= Looks; look++)
        {
            if (marks().SequenceEqual(Shown()))
                return true;
            Count("looks again", 1);
            Thread.Sleep(TimeSpan.FromSeconds(0.5));
        }

        return false;
    }

    /// <summary>Empty if a listing has an entry twice.</summary>
    private static SortedDictionary<uint, uint> Marks(List<ConntrackEntry> entries) =>
        new(entries.DistinctBy(entry => entry.Id).Count() == entries.Count ? entries.ToDictionary(entry => entry.Id!.Value, entry => entry.Data.Mark) : []);

    private void Count(string what, int number) => _done[what] = _done.GetValueOrDefault(what) + number;

    private SortedDictionary<uint, uint> Shown()
    {
        SortedDictionary<uint, uint> shown = [];
        foreach (FlowRecord flow in ConntrackTool.ListXml(_ns))
            shown[flow.Id!.Value] = flow.Mark ?? 0;
        return shown;
    }
}
