using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Reads the table ahead, in namespaces with more entries than the queue holds.</summary>
public sealed class EntryStreamTests(EntryStreamTests.FullTable full) : IClassFixture<EntryStreamTests.FullTable>
{
    [Fact]
    public void Every_entry_comes_once()
    {
        using EntryStream stream = full.Namespace.Table.Open();

        // Compared by tuple, because among many ids two may be equal.
        List<ConntrackTuple> tuples = [.. stream.Batches().SelectMany(batch => batch).Select(entry => entry.Original)];
        Assert.Equal((FullTable.Count, FullTable.Count), (tuples.Count, tuples.Distinct().Count()));
    }

    [Fact]
    public void Reading_ahead_and_reading_here_give_the_same()
    {
        using EntryStream stream = full.Namespace.Table.Open();
        Assert.Equal(
            full.Namespace.Table.Read().Select(entry => entry.Id).Order(),
            stream.Batches().SelectMany(batch => batch).Select(entry => entry.Id).Order());
    }

    [Fact]
    public void A_filter_is_checked_on_every_entry()
    {
        ConntrackFilter filter = new() { AddressFamily = IPFamily.IPv6, SourcePort = [new PortRange(1, 100)] };
        using EntryStream stream = full.Namespace.Table.Open(filter);
        List<ConntrackEntry> entries = [.. stream.Batches().SelectMany(batch => batch)];
        Assert.Equal(50, entries.Count);
        Assert.All(entries, entry => Assert.True(filter.Matches(entry)));
    }

    [Fact]
    public void A_filter_without_a_match_gives_no_batch_at_all()
    {
        using EntryStream stream = full.Namespace.Table.Open(new ConntrackFilter { Protocol = [IPProtocol.Gre] });
        Assert.Empty(stream.Batches());
    }

    [Fact]
    public void A_filter_that_means_nothing_is_refused_before_anything_is_opened() =>
        Assert.Throws<ArgumentException>(() => full.Namespace.Table.Open(new ConntrackFilter { Status = ConntrackStatus.None }));

    [Fact]
    public void Cancel_from_another_thread_ends_a_consumer_that_waits_for_more()
    {
        using EntryStream stream = full.Namespace.Table.Open();
        using IEnumerator<IReadOnlyList<ConntrackEntry>> batches = stream.Batches().GetEnumerator();
        Assert.True(batches.MoveNext());
        Thread cancelling = new(stream.Cancel);
        cancelling.Start();
        Assert.True(Wait.For(cancelling));
        Assert.Throws<OperationCanceledException>(() =>
        {
            while (batches.MoveNext())
            {
            }
        });
    }

    [Fact]
    public void Cancel_and_Dispose_may_come_again_and_in_any_order()
    {
        EntryStream stream = full.Namespace.Table.Open();
        stream.Cancel();
        stream.Cancel();
        stream.Dispose();
        stream.Dispose();
        stream.Cancel();
        using EntryStream untouched = full.Namespace.Table.Open();
    }

    [Fact]
    public void Cancel_and_Dispose_may_meet()
    {
        for (int round = 0; round < 200; round++)
        {
            EntryStream stream = full.Namespace.Table.Open();
            Exception? exception = null;
            Thread cancelling = new(() => exception = Record.Exception(stream.Cancel));
            cancelling.Start();
            stream.Dispose();
            Assert.True(Wait.For(cancelling));
            Assert.Null(exception);
        }
    }

    [Fact]
    public void Dispose_in_the_middle_is_no_error_to_the_one_who_reads()
    {
        int seen = 0;
        using (EntryStream stream = full.Namespace.Table.Open())
        {
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
            {
                seen += batch.Count;
                if (seen > 1000)
                    break;
            }
        }

        Assert.InRange(seen, 1001, FullTable.Count);
    }

    [Fact]
    public void A_namespace_that_cannot_be_entered_is_told_at_once() =>
        Assert.Throws<NetworkNamespaceException>(() => new ConntrackTable(NetworkNamespace.Parse("/proc/self/maps")).Open());

    /// <summary>A namespace with many more entries than a stream's queue holds.</summary>
    public sealed class FullTable : IDisposable
    {
        public const int Count = 30_000;

        public FullTable() => TableFiller.Fill(Namespace, Count);

        public NetworkNamespaceFixture Namespace { get; } = new();

        public void Dispose() => Namespace.Dispose();
    }
}
