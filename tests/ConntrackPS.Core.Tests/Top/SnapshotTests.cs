using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Top;

/// <summary>Snapshots of tables, and the loop that reads them.</summary>
public sealed class SnapshotTests(RandomTableFixture random, TrafficFixture router) : IClassFixture<RandomTableFixture>, IClassFixture<TrafficFixture>
{
    [Fact]
    public void A_snapshot_holds_what_the_table_holds()
    {
        TopSnapshot snapshot = new SnapshotReader(random.Namespace.Table).Read(new ConntrackFilter(), null, default);
        Assert.Equal(
            random.Namespace.Table.Read().Select(entry => $"{entry.Original} {entry.Reply} {entry.Id} {entry.Mark} {entry.State} {entry.Status} {entry.OriginalZone ?? entry.ReplyZone ?? entry.Zone}").Order(),
            Rows(snapshot).Select(row => $"{row.Original} {row.Reply} {row.Id} {row.Mark} {(row.Has(EntryFields.State) ? row.State : null)} {row.Status} {row.AnyZone}").Order());
        Assert.Equal(random.Created.Count, snapshot.TableCount);
        Assert.Null(snapshot.Seconds);
    }

    [Fact]
    public void Groups_of_a_snapshot_are_those_of_the_table()
    {
        TopSnapshot snapshot = new SnapshotReader(random.Namespace.Table).Read(new ConntrackFilter(), null, default);
        foreach ((TopGrouping grouping, string[] properties) in (IEnumerable<(TopGrouping, string[])>)
            [(TopGrouping.Source, ["SourceAddress"]), (TopGrouping.Destination, ["DestinationAddress"]), (TopGrouping.Port, ["Protocol", "DestinationPort"])])
        {
            GroupMeasurement measurement = new(new GroupOptions { GroupBy = [.. properties.Select(GroupProperties.Named)] });
            measurement.Read(random.Namespace.Table);
            TopGroups groups = snapshot.GroupsBy(grouping);
            Assert.Equal(Describe(measurement.Groups()), Describe(groups.Window(GroupOrder.Count, false, 0, groups.Count)));
            Assert.Equal(groups.Window(GroupOrder.Count, false, 0, 20).Skip(5).Select(group => group.Name), groups.Window(GroupOrder.Count, false, 5, 15).Select(group => group.Name));
        }
    }

    [Fact]
    public void Rates_begin_with_the_second_snapshot_and_go_on_under_the_same_filter()
    {
        SnapshotReader reader = new(router.Namespace.Table);
        ConntrackFilter all = new(), tcp = new() { Protocol = [IPProtocol.Tcp] };
        TopSnapshot first = reader.Read(all, null, default);
        Assert.True(first.Totals.HasCounters);
        Assert.Equal((null, 0UL), (first.Seconds, first.Totals.MovedPackets));
        router.Namespace.Exec("ping", "-q", "-c3", "-i0.2", "-I", "192.0.2.1", "203.0.113.5");
        TopSnapshot second = reader.Read(all, null, default);
        Assert.NotNull(second.Seconds);

        // Three requests and three replies of 84 bytes.
        TopEntry ping = Assert.Single(Rows(second), row => row.MovedPackets > 0);
        Assert.Equal((IPProtocol.Icmp, 6UL, 504UL), (ping.Original.Protocol, ping.MovedPackets, ping.MovedBytes));
        Assert.Null(reader.Read(tcp, first, default).Seconds);
        Assert.NotNull(reader.Read(tcp, second, default).Seconds);
    }

    [Fact]
    public async Task No_more_rows_are_shown_than_the_table_is_said_to_have()
    {
        using NetworkNamespaceFixture ns = new();
        const int AtFirst = 20_000, Rounds = 10, PerRound = 2000, Last = AtFirst + Rounds * PerRound;
        using SemaphoreSlim waiting = new(0), turn = new(0);
        Task filling = Task.Run(() => TableFiller.Create(ns, Enumerable.Range(0, Last).Select(i =>
        {
            if (i >= AtFirst && i % PerRound == 0)
            {
                waiting.Release();
                turn.Wait();
            }

            return Entries.Udp("192.0.2.1", 1 + i, "198.51.100.7", 53);
        })));
        SnapshotReader reader = new(ns.Table);
        for (int round = 0; round < Rounds; round++)
        {
            // From now on the table grows while it is read.
            await waiting.WaitAsync();
            turn.Release();
            TopSnapshot snapshot = reader.Read(new ConntrackFilter(), null, default);
            Assert.InRange(snapshot.Entries.Count, 0, snapshot.TableCount);
        }

        await filling;
        Assert.Equal(Last, reader.Read(new ConntrackFilter(), null, default).TableCount);
    }

    [Fact]
    public void A_copy_of_a_row_is_the_entry()
    {
        ConntrackEntry copy = new();
        foreach (ConntrackEntry entry in random.Namespace.Table.Read())
        {
            TopEntry row = default;
            row.Take(entry);
            copy.Reset();
            row.CopyTo(copy);
            Assert.Equal(EntryKey.Of(entry), EntryKey.Of(copy));
            Assert.Equal(EntryKey.Of(entry), row.Key);
            Assert.Equal(
                (entry.State, entry.Status, entry.Mark, entry.TimeoutSeconds, entry.RawBytes), (copy.State, copy.Status, copy.Mark, copy.TimeoutSeconds, copy.RawBytes));
        }
    }

    [Fact]
    public void The_loop_reads_when_it_is_time_or_when_it_is_asked()
    {
        ConntrackFilter all = new(), udp = new() { Protocol = [IPProtocol.Udp] };
        using SnapshotLoop loop = new(new SnapshotReader(random.Namespace.Table), default);
        TopSnapshot first = loop.ReadFirst(all), snapshot = first;
        Assert.False(TakeWithin(loop, all, isFrozen: true, ref snapshot, seconds: 0.3));
        loop.Ask();
        Assert.True(TakeWithin(loop, all, isFrozen: true, ref snapshot));
        Assert.NotSame(first, snapshot);
        TopSnapshot second = snapshot;
        Assert.True(TakeWithin(loop, all, isFrozen: false, ref snapshot));

        // The previous snapshot is reused, the visible one is not.
        Assert.Same(first, snapshot);
        Assert.NotSame(second, snapshot);
        loop.Ask();
        Assert.True(TakeWithin(loop, udp, isFrozen: true, ref snapshot));
        Assert.All(Rows(snapshot), row => Assert.Equal(IPProtocol.Udp, row.Original.Protocol));
    }

    [Fact]
    public void A_table_that_vanished_is_an_error_of_the_loop()
    {
        using NetworkNamespaceFixture ns = new();
        using SnapshotLoop loop = new(new SnapshotReader(ns.Table), default);
        ConntrackFilter all = new();
        TopSnapshot snapshot = loop.ReadFirst(all);
        ns.Dispose();
        loop.Ask();
        Assert.Throws<NetworkNamespaceException>(() => TakeWithin(loop, all, isFrozen: true, ref snapshot));
    }

    private static bool TakeWithin(SnapshotLoop loop, ConntrackFilter filter, bool isFrozen, ref TopSnapshot snapshot, double seconds = 20)
    {
        for (int i = 0; i < seconds * 100; i++)
        {
            loop.Continue(filter, TimeSpan.Zero, isFrozen);
            if (loop.TryTake(ref snapshot))
                return true;
            Thread.Sleep(10);
        }

        return false;
    }

    private static IEnumerable<TopEntry> Rows(TopSnapshot snapshot) =>
        Enumerable.Range(0, snapshot.Entries.Count).Select(i => snapshot.Entries[i]);

    private static IEnumerable<string> Describe(IEnumerable<ConntrackGroup> groups) =>
        groups.Select(group => $"{group} {group.Percent} {group.Assured} {group.Unreplied} {group.TotalBytes}").Order();
}
