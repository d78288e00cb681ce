using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

public sealed class EventStreamTests : IDisposable
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    private readonly NetworkNamespaceFixture _ns = new();

    public EventStreamTests() => _ns.SetConntrackSetting("nf_conntrack_events", 1);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Begin_change_and_end_are_told_in_order()
    {
        using EventStream stream = new(new EventOptions(), _ns.Namespace);
        ConntrackEntry entry = Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 80).WithState(ConntrackState.Established);
        TableFiller.Create(_ns, entry);
        Change(new EntryChange { Mark = new MaskedMark(7) });
        _ns.Table.Clear();
        List<ConntrackEvent> events = Take(stream, 3);
        Assert.Equal([ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy], events.Select(happened => happened.EventType));
        Assert.Equal([1ul, 2ul, 3ul], events.Select(happened => happened.Sequence));
        Assert.Equal([0u, 7u, 7u], events.Select(happened => happened.Mark));
        Assert.All(events, happened => Assert.Equal("192.0.2.1", happened.SourceAddress));
        Assert.All(events, happened => Assert.InRange(happened.EventTime!.Value, DateTime.Now.AddMinutes(-2), DateTime.Now.AddSeconds(1)));
        Assert.All(events, happened => Assert.Equal(_ns.Name, happened.Namespace));
    }

    [Fact]
    public void The_present_table_comes_first_and_nothing_twice()
    {
        TableFiller.Fill(_ns, 50);
        using EventStream stream = new(new EventOptions { IncludeExisting = true }, _ns.Namespace);
        List<ConntrackEvent> existing = Take(stream, 50);
        Assert.All(existing, happened => Assert.Equal(ConntrackEventType.Existing, happened.EventType));
        Assert.Equal(ConntrackTool.ListXml(_ns).Select(flow => flow.Id).Order(), existing.Select(happened => happened.Id).Order());
        _ns.Table.Clear();
        Assert.All(Take(stream, 50), happened => Assert.Equal(ConntrackEventType.Destroy, happened.EventType));
    }

    /// <summary>A buffer for a few events, and a reader that sleeps: received and lost events together are all events.</summary>
    [Fact]
    public void Every_lost_event_is_counted()
    {
        const int Count = 20_000;
        EventOptions options = new() { ReceiveBufferSize = 4096, EventType = [ConntrackEventType.New] };
        using EventSubscription subscription = new(_ns.Namespace, options);
        TableFiller.Fill(_ns, Count);
        int received = 0;
        subscription.ReadAll(_ => received++);
        uint lost = subscription.TakeLosses();
        Assert.True(lost > 0);
        Assert.Equal(Count, received + (int)lost);
        Assert.Equal(0u, subscription.TakeLosses());
    }

    [Fact]
    public void After_a_loss_the_table_shows_what_changed()
    {
        const int Count = 3000;
        TableFiller.Create(_ns, Entries.Udp("192.0.2.99", 1, "198.51.100.7", 53));
        using EventStream stream = new(new EventOptions { ReceiveBufferSize = 4096, IncludeExisting = true, Resync = true }, _ns.Namespace);
        HashSet<uint?> known = [.. Take(stream, 1).Select(happened => happened.Id)];
        TableFiller.Fill(_ns, Count);
        _ns.Table.Delete(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("192.0.2.99")] }, _ => { });
        ulong lost = 0;
        DateTime end = DateTime.UtcNow + WaitTimeout;
        while ((known.Count != Count || lost == 0) && DateTime.UtcNow < end)
        {
            foreach (ConntrackEvent happened in stream.Take(TimeSpan.FromMilliseconds(100)))
            {
                lost += happened.LostCount ?? 0;
                if (happened.EventType == ConntrackEventType.New)
                    Assert.True(known.Add(happened.Id), $"twice: {happened}");
                else if (happened.EventType == ConntrackEventType.Destroy)
                    known.Remove(happened.Id);
            }
        }

        Assert.True(lost > 0);
        Assert.Equal(ConntrackTool.ListXml(_ns).Select(flow => flow.Id).Order(), known.Order());
    }

    /// <summary>Bursts are partly lost while the consumer is slow. At the end it knows the table. No end was reported twice, no known entry
    /// was reported as new, and each loss was counted.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_bursts_that_were_lost_in_part_a_slow_consumer_knows_the_table(bool isReplaced)
    {
        const int Count = 60_000, Left = 1000;
        TableFiller.Create(_ns, Entries.Udp("192.0.2.99", 1, "198.51.100.7", 53));
        EventOptions options = new() { ReceiveBufferSize = 4 << 20, BacklogSize = 65536, IncludeExisting = true, Resync = true };
        using EventStream stream = new(options, _ns.Namespace);
        EventFollower follower = new();
        follower.TakeWhile(stream, () => follower.Live.Count == 0);
        for (int burst = 0; burst < 2; burst++)
        {
            // Different ones each time: two connections with the same id can't be distinguished if the events in between are lost.
            Fill(2 * burst * Count, Count);
            follower.TakeFor(stream, batches: 3);
            _ns.Table.Clear();
            if (isReplaced)
                Fill((2 * burst + 1) * Count, Count / 2);
            follower.TakeFor(stream, batches: 3);
            _ns.Table.Clear();
        }

        Fill(4 * Count, Left);
        Assert.True(follower.TakeWhile(stream, () => !follower.Knows(_ns)), $"it knows {follower.Live.Count}, and the table has {Left}");
        Assert.True(follower.Lost > 0);

        // Known entries are not reported again.
        follower.TakeFor(stream, batches: 20);
        Assert.Equal(Left, follower.Live.Count);
    }

    /// <summary>By default a burst waits for a sleeping consumer, and memory use is limited.</summary>
    [Fact]
    public void A_burst_waits_for_a_consumer_who_sleeps()
    {
        const int Count = 60_000;
        using EventStream stream = new(new EventOptions(), _ns.Namespace);
        TableFiller.Fill(_ns, Count);
        _ns.Table.Clear();
        Assert.True(Wait.Until(() => stream.WaitingCount > Count));
        Assert.Null(stream.WaitingCountWhenFull);
        List<ConntrackEvent> events = Take(stream, 2 * Count);
        Assert.Equal(Count, events.Count(happened => happened.EventType == ConntrackEventType.New));
        Assert.Equal(Enumerable.Range(1, 2 * Count).Select(number => (ulong)number), events.Select(happened => happened.Sequence));
    }

    [Fact]
    public void A_full_backlog_is_told_with_what_waits()
    {
        using EventStream stream = new(new EventOptions { ReceiveBufferSize = 65536, BacklogSize = 65536 }, _ns.Namespace);
        Assert.Null(stream.WaitingCountWhenFull);
        TableFiller.Fill(_ns, 40_000);
        Assert.True(Wait.Until(() => stream.WaitingCountWhenFull is > 500 and < 10_000), $"{stream.WaitingCountWhenFull} wait");
    }

    /// <summary>New events that wait while the table is read belong to entries that the table shows, and are not reported in
    /// addition.</summary>
    [Fact]
    public void The_present_table_and_the_events_of_its_making_tell_each_connection_once()
    {
        const int Count = 30_000;
        Thread filler = new(() => TableFiller.Fill(_ns, Count));
        filler.Start();
        Assert.True(Wait.Until(() => ConntrackStat.Read(_ns.Namespace).Count > Count / 10));
        using EventStream stream = new(new EventOptions { IncludeExisting = true }, _ns.Namespace);
        EventFollower follower = new();
        Assert.True(Wait.For(filler));
        Assert.True(follower.TakeWhile(stream, () => follower.Live.Count < Count));
        follower.TakeFor(stream, batches: 20);
        Assert.Equal(Count, follower.Live.Count);
        Assert.True(follower.TakeWhile(stream, () => !follower.Knows(_ns)));
    }

    [Fact]
    public void Cancelling_ends_the_reading_of_the_table()
    {
        TableFiller.Fill(_ns, 50_000);
        using EventStream stream = new(new EventOptions { IncludeExisting = true }, _ns.Namespace);
        Assert.NotEmpty(stream.Take(WaitTimeout));
        stream.Cancel();
        Assert.Throws<OperationCanceledException>(() => stream.Take(WaitTimeout));
    }

    [Fact]
    public void Cancelling_ends_the_wait()
    {
        using EventStream stream = new(new EventOptions(), _ns.Namespace);
        stream.Cancel();
        Assert.Throws<OperationCanceledException>(() => stream.Take(WaitTimeout));
    }

    private void Fill(int first, int count) => TableFiller.Create(_ns, Enumerable.Range(first, count).Select(TableFiller.Numbered));

    private void Change(EntryChange change)
    {
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        foreach (ConntrackEntry entry in _ns.Table.Read())
            updater.Add(EntryKey.Of(entry), change, entry);
        updater.Flush();
    }

    private static List<ConntrackEvent> Take(EventStream stream, int count)
    {
        List<ConntrackEvent> events = [];
        DateTime end = DateTime.UtcNow + WaitTimeout;
        while (events.Count < count && DateTime.UtcNow < end)
            events.AddRange(stream.Take(TimeSpan.FromMilliseconds(100)));
        Assert.Equal(count, events.Count);
        return events;
    }
}
