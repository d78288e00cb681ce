using System.Collections.Concurrent;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Classes that are documented as safe for use from several threads.</summary>
public sealed class ConcurrencyTests : IDisposable
{
    private const int ThreadCount = 4;
    private const int EntryCount = 4_000;

    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Entries_are_created_from_several_threads()
    {
        using EntryCreator creator = _ns.Table.CreateCreator(keepCreated: true);
        ConcurrentBag<EntryResult> results = [];
        OnThreads(thread =>
        {
            foreach (int number in Share(thread))
            {
                creator.Add(TableFiller.Numbered(number), number);
                Collect(creator.TakeResults(), results);
            }
        });
        creator.Flush();
        Collect(creator.TakeResults(), results);
        Assert.Equal((EntryCount, 0L), (creator.Created, creator.Failed));
        Assert.Equal(Enumerable.Range(0, EntryCount), results.Select(result => (int)result.Entry).Order());
        Assert.Equal(EntryCount, ConntrackTool.ListXml(_ns).Count);
    }

    [Fact]
    public void Entries_are_changed_from_several_threads()
    {
        TableFiller.Fill(_ns, EntryCount);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        using EntryUpdater updater = _ns.Table.CreateUpdater(keepChanged: true);
        ConcurrentBag<EntryResult> results = [];
        OnThreads(thread =>
        {
            foreach (int number in Share(thread))
            {
                updater.Add(EntryKey.Of(entries[number]), new EntryChange { Mark = new MaskedMark((uint)thread + 1) }, number);
                Collect(updater.TakeResults(), results);
            }
        });
        updater.Flush();
        Collect(updater.TakeResults(), results);
        Assert.Equal((EntryCount, 0L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Assert.Equal(Enumerable.Range(0, EntryCount), results.Select(result => (int)result.Entry).Order());
        Assert.All(
            ConntrackTool.ListXml(_ns).GroupBy(flow => flow.Mark),
            group => Assert.Equal(EntryCount / ThreadCount, group.Count()));
    }

    [Fact]
    public void Entries_are_deleted_from_several_threads()
    {
        TableFiller.Fill(_ns, EntryCount);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        using EntryDeleter deleter = _ns.Table.CreateDeleter(keepDeleted: true);
        ConcurrentBag<EntryResult> results = [];
        OnThreads(thread =>
        {
            foreach (int number in Share(thread))
            {
                // Every second one without its id, so that it is looked up.
                EntryKey key = EntryKey.Of(entries[number]);
                deleter.Add(number % 8 < 4 ? key : key with { Id = null }, number);
                Collect(deleter.TakeResults(), results);
            }
        });
        deleter.Flush();
        Collect(deleter.TakeResults(), results);
        Assert.Equal((EntryCount, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Equal(Enumerable.Range(0, EntryCount), results.Select(result => (int)result.Entry).Order());
        Assert.Empty(ConntrackTool.ListXml(_ns));
    }

    [Fact]
    public void A_table_a_filter_and_its_entries_are_read_from_several_threads()
    {
        TableFiller.Fill(_ns, EntryCount);
        ConntrackFilter filter = new() { AddressFamily = IPFamily.IPv6, DestinationPort = [new PortRange(80, 80)] };
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        string[] expected = [.. ConntrackTool.ListXml(_ns).Select(flow => flow.Original.Source).Order(StringComparer.Ordinal)];
        OnThreads(_ =>
        {
            Assert.Equal(EntryCount / 2, _ns.Table.Read(filter).Count());
            Assert.Equal(EntryCount / 2, entries.Count(filter.Matches));
            Assert.Equal(expected, entries.Select(entry => entry.SourceAddress).Order(StringComparer.Ordinal));
        });
    }

    [Fact]
    public void A_stream_is_cancelled_and_disposed_from_several_threads()
    {
        TableFiller.Fill(_ns, EntryCount);
        for (int round = 0; round < 50; round++)
        {
            using EntryStream stream = _ns.Table.Open();
            OnThreads(thread =>
            {
                if (thread > 0)
                    stream.Cancel();
                else
                    Record.Exception(() => stream.Batches().Sum(batch => batch.Count));
            });
        }
    }

    [Fact]
    public void A_block_takes_flows_from_several_threads()
    {
        ConntrackFilter filter = new() { SourceAddress = [AddressPrefix.Parse("192.0.2.1")] };
        using TrafficBlock block = TrafficBlock.Open(BlockTarget.Of(filter), _ns.Namespace);
        OnThreads(thread =>
        {
            foreach (int number in Share(thread))
            {
                block.AddFlows([TableFiller.Numbered(number)]);
                if (number % 100 == thread)
                    block.ReadCounters();
            }
        });
        Assert.Equal((0, null), (block.LeftOut, block.Problem));
        Assert.Equal(2 * EntryCount, block.TupleCount);
        string listed = _ns.Exec("nft", "list", "table", "inet", block.Table);
        Assert.Equal(EntryCount / 2, listed.Split(" . 198.51.100.7 . ").Length - 1);
    }

    /// <summary>Starts all threads at once. An exception in one of them fails the test.</summary>
    private static void OnThreads(Action<int> work)
    {
        using Barrier start = new(ThreadCount);
        Task[] tasks = [.. Enumerable.Range(0, ThreadCount).Select(thread => Task.Factory.StartNew(
            () =>
            {
                start.SignalAndWait();
                work(thread);
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task.WaitAll(tasks);
    }

    private static IEnumerable<int> Share(int thread) => Enumerable.Range(0, EntryCount).Where(number => number % ThreadCount == thread);

    private static void Collect(IReadOnlyList<EntryResult> taken, ConcurrentBag<EntryResult> into)
    {
        foreach (EntryResult result in taken)
        {
            Assert.Null(result.Failure);
            into.Add(result);
        }
    }
}
