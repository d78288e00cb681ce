using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

/// <summary>The same events, received by the library and by <c>conntrack -E</c> in parallel.</summary>
public sealed class EventWitnessTests
{
    private const int Seed = 20261123;

    // The number of events that conntrack can hold while it does not read, minus a reserve.
    private const int AtOnce = 60;

    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    [Fact]
    public void Of_entries_of_every_kind_made_changed_and_removed_in_batches()
    {
        using NetworkNamespaceFixture ns = new();
        EnableAll(ns);
        List<ConntrackEntry> entries = new RandomTable(Seed, TestHelpers.Find(), withLabels: false).Make(300);
        Compare(ns, expected: 900, () =>
        {
            foreach (ConntrackEntry[] some in entries.Chunk(AtOnce))
            {
                TableFiller.Create(ns, some);
                ConntrackListener.CatchUp(ns);
            }

            foreach (ConntrackEntry[] some in ns.Table.Read().Chunk(AtOnce))
            {
                Mark(ns, some);
                ConntrackListener.CatchUp(ns);
                Delete(ns, some);
                ConntrackListener.CatchUp(ns);
            }
        });
    }

    [Fact]
    public void Of_real_packets()
    {
        using Traffic traffic = new();
        EnableAll(traffic.Namespace);
        List<ConntrackEvent> events = Compare(traffic.Namespace, expected: 15, () =>
        {
            traffic.Make();
            traffic.Close();
            traffic.Namespace.Table.Clear();
        });
        ConntrackEvent ended = Assert.Single(events, happened => happened is { EventType: ConntrackEventType.Destroy, DestinationPort: 8080 });
        Assert.InRange(ended.TotalBytes!.Value, 1500UL, 4000UL);
        Assert.InRange(ended.Duration!.Value, 0.0, 60.0);
        Assert.Equal(ended.Duration, ended.Age);
        Assert.Equal("203.0.113.5", ended.ReplySourceAddress);
    }

    private static void Mark(NetworkNamespaceFixture ns, IEnumerable<ConntrackEntry> entries)
    {
        using EntryUpdater updater = ns.Table.CreateUpdater();
        foreach (ConntrackEntry entry in entries)
            updater.Add(EntryKey.Of(entry), new EntryChange { Mark = new MaskedMark(0xabcd) }, entry);
        updater.Flush();
    }

    private static void Delete(NetworkNamespaceFixture ns, IEnumerable<ConntrackEntry> entries)
    {
        using EntryDeleter deleter = ns.Table.CreateDeleter();
        foreach (ConntrackEntry entry in entries)
            deleter.Add(EntryKey.Of(entry), entry);
        deleter.Flush();
    }

    private static void EnableAll(NetworkNamespaceFixture ns)
    {
        foreach (string setting in (string[])["nf_conntrack_acct", "nf_conntrack_timestamp", "nf_conntrack_events"])
            ns.SetConntrackSetting(setting, 1);
    }

    /// <returns>The events that both received.</returns>
    private static List<ConntrackEvent> Compare(NetworkNamespaceFixture ns, int expected, Action happen)
    {
        using ConntrackListener listener = new(ns);
        using EventStream stream = new(new EventOptions { ReceiveBufferSize = 1 << 24 }, ns.Namespace);
        happen();
        List<EventRecord> shown = listener.Finish(ns);
        Assert.True(shown.Count >= expected, $"conntrack showed {shown.Count} events");
        List<ConntrackEvent> read = [];
        Assert.True(Wait.Until(() =>
        {
            read.AddRange(stream.Take(TimeSpan.FromMilliseconds(20)));
            return read.Count >= shown.Count;
        }), $"only {read.Count} of {shown.Count} events came");
        Assert.Equal(shown.Count, read.Count);
        Assert.All(read.Zip(shown), pair => AssertSame(pair.Second, pair.First));
        return read;
    }

    private static void AssertSame(EventRecord shown, ConntrackEvent read)
    {
        Assert.Equal(shown.Type, read.EventType.ToString().ToLowerInvariant());

        // The kernel omits a mark of 0, and the tool then shows none.
        Assert.Equal(shown.Flow with { Age = null, Mark = shown.Flow.Mark ?? 0 }, FlowView.AsXml(FlowView.Of(read)) with { Age = null });
        Assert.Equal(shown.PortId, read.PortId);
        Assert.Equal(shown.Start is null, read.StartTime is null);
        Assert.Equal(shown.Stop is null, read.StopTime is null);
        if (shown is { Start: { } start, Stop: { } stop })
            Assert.Equal(Math.Round((stop - start) / 1e9, 3), read.Duration);
        Assert.InRange(read.EventTime!.Value, shown.When - WaitTimeout, shown.When + WaitTimeout);
    }
}
