using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Ages are computed at the time of each check, however long the filter has been in use.</summary>
public sealed class AgeFilterTests : IDisposable
{
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(3);

    private readonly NetworkNamespaceFixture _ns = new();

    public AgeFilterTests()
    {
        _ns.SetConntrackSetting("nf_conntrack_events", 1);
        _ns.SetConntrackSetting("nf_conntrack_timestamp", 1);
        _ns.SetConntrackSetting("nf_conntrack_acct", 1);
    }

    public void Dispose() => _ns.Dispose();

    /// <summary>An entry that was too young, or did not exist, when the filter was first used is found when it is old enough.</summary>
    [Fact]
    public void A_filter_in_use_finds_what_grows_old_meanwhile()
    {
        ConntrackFilter filter = new() { OlderThan = Age };
        SnapshotReader snapshots = new(_ns.Table);
        GroupMeasurement groups = new(new GroupOptions { GroupBy = [GroupProperties.Named("Protocol")] });
        Assert.Equal([0, 0, 0], Counts());
        TableFiller.Create(_ns, Entries.Any());
        Assert.Equal([0, 0, 0], Counts());
        Thread.Sleep(Age * 1.5);
        Assert.Equal([1, 1, 1], Counts());

        long[] Counts()
        {
            groups.Read(_ns.Table, filter);
            return [_ns.Table.Read(filter).Count(), groups.Count, snapshots.Read(filter, null, default).Entries.Count];
        }
    }

    /// <summary>The first use of the filter is for the event of the flow that is too young.</summary>
    [Fact]
    public void A_watch_tells_ends_by_the_age_that_they_had()
    {
        ConntrackFilter filter = new() { OlderThan = Age };
        using EventStream stream = new(new EventOptions { Filter = filter, EventType = [ConntrackEventType.Destroy] }, _ns.Namespace);
        TableFiller.Create(_ns, Entries.Udp("192.0.2.1", 1, "198.51.100.7", 53));
        _ns.Table.Clear();
        TableFiller.Create(_ns, Entries.Udp("192.0.2.2", 1, "198.51.100.7", 53));
        Assert.Empty(stream.Take(Age * 1.5));
        _ns.Table.Clear();
        ConntrackEvent told = Assert.Single(stream.Take(TimeSpan.FromSeconds(20)));
        Assert.Equal("192.0.2.2", told.SourceAddress);
        Assert.True(told.Duration >= Age.TotalSeconds);
    }

    /// <summary>The age of a flow that has ended does not grow while its event waits for a slow consumer.</summary>
    [Fact]
    public void An_end_that_is_looked_at_late_is_as_young_as_it_was()
    {
        ConntrackFilter filter = new() { OlderThan = Age };
        using EventSubscription subscription = new(_ns.Namespace, new EventOptions { EventType = [ConntrackEventType.Destroy] });
        TableFiller.Create(_ns, Entries.Any());
        _ns.Table.Clear();
        Thread.Sleep(Age * 1.5);
        List<ConntrackEvent> ends = [];
        subscription.ReadAll(message => ends.Add(EventDecoder.Decode(message)!));
        Assert.NotNull(Assert.Single(ends).StopTime);
        Assert.False(filter.Matches(ends[0]));
        Assert.True((filter with { OlderThan = TimeSpan.Zero }).Matches(ends[0]));
    }
}
