using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Walk;

/// <summary>A walk beside a table that changes: entries that stay come exactly once, and none of another network namespace.</summary>
[Collection(nameof(MachineWide))]
public sealed class WalkChurnTests : IDisposable
{
    private const int Stable = 20_000, Changing = 20_000, Runs = 20;

    private readonly ITestOutputHelper _output;
    private readonly NetworkNamespaceFixture _ns = new(), _other = new();
    private readonly List<ConntrackEntry> _stable;
    private volatile bool _isOver;
    private long _changes;

    public WalkChurnTests(ITestOutputHelper output)
    {
        _output = output;
        TableFiller.Fill(_ns, Stable);
        _stable = [.. _ns.Table.Read()];
    }

    public void Dispose()
    {
        _isOver = true;
        _ns.Dispose();
        _other.Dispose();
    }

    /// <summary>The differential runs on which the choice of the default engine rests.</summary>
    [WalkFact]
    public void Entries_that_stay_come_once_while_others_come_and_go()
    {
        HashSet<object> expected = [.. _stable.Select(Identity)];
        Thread[] threads = [Start(_ns), Start(_other)];
        Assert.True(Wait.Until(() => Interlocked.Read(ref _changes) > Changing));
        for (int run = 0; run < Runs; run++)
        {
            WalkAccess access = (WalkAccess)(run % 3);
            List<ConntrackEntry> walked = WalkList.Read(_ns.Namespace, access: access), dumped = [.. _ns.Table.Read()];
            AssertStable(expected, walked, $"walk {run}, {access}");
            AssertStable(expected, dumped, $"dump {run}");
        }

        _isOver = true;
        Assert.All(threads, thread => Assert.True(Wait.For(thread)));
        _output.WriteLine($"{Interlocked.Read(ref _changes)} changes beside {Runs} walks");
    }

    [ResizeFact]
    public void Entries_come_once_however_the_table_is_resized()
    {
        if (WalkFactAttribute.WhyNot is not null)
            return;
        HashSet<object> expected = [.. _stable.Select(Identity)];
        int whole = 0, resizes;
        using (ResizeStorm storm = new())
        {
            for (int run = 0; run < Runs; run++)
            {
                try
                {
                    List<ConntrackEntry> walked = WalkList.Read(_ns.Namespace, access: (WalkAccess)(run % 3), terms: new ScanTerms { LeastRepeats = 50, RepeatTimeout = TimeSpan.FromSeconds(1) });
                    AssertStable(expected, walked, $"run {run}");
                    Assert.Equal(Stable, walked.Count);
                    whole++;
                }
                catch (IncompleteListingException)
                {
                    // It says so.
                }
            }

            resizes = storm.Resizes;
        }

        _output.WriteLine($"{whole} of {Runs} walks were whole, beside {resizes} resizes");
        Assert.Equal(Stable, WalkList.Read(_ns.Namespace).Count);
    }

    /// <summary>A resize between two runs of the program is noticed, even if the size is the old one again.</summary>
    [ResizeFact]
    public void A_resize_during_a_walk_starts_it_again()
    {
        if (WalkFactAttribute.WhyNot is not null)
            return;
        long before = Sysctl.ReadNumber(ResizeStorm.Buckets)!.Value;
        WalkList list = new();
        using EntryWalk walk = new(_ns.Namespace, null, list, EntryParts.Walkable);
        Assert.True(walk.Read());
        Assert.NotEmpty(list.Entries);
        Sysctl.WriteNumber(ResizeStorm.Buckets, before / 2);
        Sysctl.WriteNumber(ResizeStorm.Buckets, before);
        while (walk.Read())
        {
        }

        Assert.Equal((1, Stable), (walk.Repeats, list.Entries.Count));
    }

    /// <summary>The rest of an attempt may be undisturbed, but what the resize moved was missed before.</summary>
    [WalkFact]
    public void A_last_attempt_with_a_resize_in_its_middle_is_not_complete()
    {
        long buckets = 1;
        ScanTerms terms = new() { LeastRepeats = 0, RepeatTimeout = TimeSpan.Zero, ReadBuckets = () => buckets };
        using EntryWalk walk = new(_ns.Namespace, null, new WalkList(), EntryParts.Walkable, terms);
        for (int attempt = 0; attempt < 2; attempt++)
        {
            Assert.True(walk.Read());
            buckets++;
            Assert.True(walk.Read());
        }

        Exception? end = Record.Exception(() =>
        {
            while (walk.Read())
            {
            }
        });
        Assert.Equal(2, Assert.IsType<IncompleteListingException>(end).Attempts);
    }

    [WalkFact]
    public void A_cancelled_walk_reads_no_more_entries()
    {
        WalkList list = new();
        using EntryWalk walk = new(_ns.Namespace, null, list, EntryParts.Walkable);
        Assert.True(walk.Read());
        int read = list.Entries.Count;
        walk.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => walk.Read());
        Assert.InRange(read, 1, Stable - 1);
        Assert.Equal(read, list.Entries.Count);
    }

    [WalkFact]
    public void Cancelled_candidates_are_not_fetched()
    {
        ConntrackFilter filter = new() { SourcePort = [new PortRange(1, ushort.MaxValue)] };
        using CandidateReader reader = new(
            TableEngine.Bpf, _ns.Namespace, filter, CandidateReader.PartsFor(filter), ScanTerms.Default, () => throw new InvalidOperationException(), _ => { });
        Assert.NotEmpty(reader.ReadBatch()!);
        reader.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => reader.ReadBatch());
    }

    private static object Identity(ConntrackEntry entry) => (entry.Original, entry.Reply, entry.Id);

    /// <summary>An entry that is deleted and created again meanwhile may come twice, even with the same id: the kernel uses its memory again.</summary>
    private static void AssertStable(HashSet<object> expected, List<ConntrackEntry> read, string run)
    {
        HashSet<object> seen = [];
        int stable = 0;
        foreach (object identity in read.Select(Identity).Where(expected.Contains))
        {
            Assert.True(seen.Add(identity), $"{run}: {identity} came twice");
            stable++;
        }

        Assert.True(stable == expected.Count, $"{run}: {stable} of {expected.Count} entries that stay");
    }

    /// <summary>Creates and deletes entries in batches, as fast as the kernel takes them.</summary>
    private Thread Start(NetworkNamespaceFixture ns)
    {
        Thread thread = new(() =>
        {
            List<ConntrackEntry> entries = [.. Enumerable.Range(Stable, Changing).Select(TableFiller.Numbered)];
            using EntryCreator creator = ns.Table.CreateCreator();
            using EntryDeleter deleter = ns.Table.CreateDeleter();
            while (!_isOver)
            {
                foreach (ConntrackEntry entry in entries)
                    creator.Add(entry, entry);
                creator.Flush();
                foreach (ConntrackEntry entry in entries)
                    deleter.Add(EntryKey.Of(entry), entry);
                deleter.Flush();
                Interlocked.Add(ref _changes, 2 * Changing);
                creator.TakeResults();
                deleter.TakeResults();
            }
        })
        { IsBackground = true };
        thread.Start();
        return thread;
    }
}
