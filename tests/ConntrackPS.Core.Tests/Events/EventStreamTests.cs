using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

public sealed class EventStreamTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

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
        Assert.All(events, happened => Assert.InRange(happened.EventTime, DateTime.Now.AddMinutes(-2), DateTime.Now.AddSeconds(1)));
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

    /// <summary>A buffer for a few events, and a reader that sleeps: what comes and what is said to be lost is all there was.</summary>
    [Fact]
    public void Every_lost_event_is_counted()
    {
        const int Count = 20_000;
        EventOptions options = new() { ReceiveBufferSize = 4096, EventType = [ConntrackEventType.New] };
        using EventSubscription subscription = new(_ns.Namespace, options);
        TableFiller.Fill(_ns, Count);
        int received = 0;
        subscription.Read(int.MaxValue, _ => received++);
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
        DateTime end = DateTime.UtcNow + Patience;
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

    [Fact]
    public void Cancelling_ends_the_wait()
    {
        using EventStream stream = new(new EventOptions(), _ns.Namespace);
        stream.Cancel();
        Assert.Throws<OperationCanceledException>(() => stream.Take(Patience));
    }

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
        DateTime end = DateTime.UtcNow + Patience;
        while (events.Count < count && DateTime.UtcNow < end)
            events.AddRange(stream.Take(TimeSpan.FromMilliseconds(100)));
        Assert.Equal(count, events.Count);
        return events;
    }
}
