using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Deletes entries one by one, and never more than the named ones. conntrack shows the rest.</summary>
public sealed class EntryDeleterTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Exactly_the_given_entries_go()
    {
        List<ConntrackEntry> created = new RandomTable(RandomTable.DefaultSeed, [], withLabels: false).Make(300);
        TableFiller.Create(_ns, created);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        List<ConntrackEntry> doomed = [.. entries.Where((_, index) => index % 3 == 0)];

        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        doomed.ForEach(entry => deleter.Add(EntryKey.Of(entry), entry));
        deleter.Flush();

        Assert.Equal((doomed.Count, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Empty(deleter.TakeResults());
        Assert.Equal(Ids(entries.Except(doomed)), ShownIds());
    }

    [Fact]
    public void Of_equal_tuples_in_two_zones_only_the_one_that_was_named_goes()
    {
        ConntrackEntry plain = Entries.Any(), five = Entries.Any(), six = Entries.Any();
        (five.Zone, six.Zone) = (5, 6);
        TableFiller.Create(_ns, plain, five, six);
        Delete(new EntryKey(five.Original, 5, null, null));
        Assert.Equal([0, 6], ConntrackTool.ListXml(_ns).Select(flow => (int)flow.Zone).Order());
        Delete(new EntryKey(plain.Original, 0, null, null));
        Assert.Equal([6], ConntrackTool.ListXml(_ns).Select(flow => (int)flow.Zone));
    }

    [Fact]
    public void A_zone_of_the_original_direction_is_part_of_the_name()
    {
        ConntrackEntry plain = Entries.Any(), seven = Entries.Any().WithZone(TupleDirection.Original, 7);

        // The replies must differ, because they share the default zone.
        seven.Reply = seven.Reply with { DestinationPort = 4001 };
        TableFiller.Create(_ns, plain, seven);
        Delete(EntryKey.Of(seven) with { Id = null });
        Assert.Null(Assert.Single(ConntrackTool.ListXml(_ns)).Original.Zone);
        TableFiller.Create(_ns, seven);
        Delete(EntryKey.Of(plain) with { Id = null });
        Assert.Equal((ushort)7, Assert.Single(ConntrackTool.ListXml(_ns)).Original.Zone);
    }

    [Fact]
    public void An_entry_whose_reply_has_a_zone_is_found_by_its_original_tuple()
    {
        TableFiller.Create(_ns, Entries.Any().WithZone(TupleDirection.Reply, 8), Entries.Udp("192.0.2.1", 4000, "198.51.100.7", 80));
        ConntrackEntry entry = Assert.Single(_ns.Table.Read(new ConntrackFilter { Zone = [8] }));
        Delete(EntryKey.Of(entry));
        Assert.Equal(17, Assert.Single(ConntrackTool.ListXml(_ns)).Protocol);
    }

    [Fact]
    public void What_is_gone_already_is_counted_and_no_failure()
    {
        TableFiller.Create(_ns, Entries.Any());
        EntryKey key = EntryKey.Of(_ns.Table.Read().Single());
        using EntryDeleter deleter = _ns.Table.CreateDeleter(keepDeleted: true);
        deleter.Add(key, "first");
        deleter.Add(key, "second");
        deleter.Flush();
        Assert.Equal((1L, 1L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Equal("first", Assert.Single(deleter.TakeResults()).Entry);
    }

    [Fact]
    public void A_newcomer_with_the_same_tuple_is_left_alone()
    {
        TableFiller.Create(_ns, Entries.Any());
        EntryKey old = EntryKey.Of(_ns.Table.Read().Single());
        Delete(old);

        ConntrackEntry newcomer = CreateWithAnotherId(old.Id!.Value);
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(old, "old");
        deleter.Flush();
        Assert.Equal((0L, 1L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Contains(newcomer.Id, ConntrackTool.ListXml(_ns).Select(flow => flow.Id));
    }

    [Fact]
    public void Deleted_entries_are_told_where_they_are_wanted_in_order()
    {
        TableFiller.Fill(_ns, 10);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        using EntryDeleter deleter = _ns.Table.CreateDeleter(keepDeleted: true);
        entries.ForEach(entry => deleter.Add(EntryKey.Of(entry), entry));
        deleter.Flush();
        IReadOnlyList<EntryResult> results = deleter.TakeResults();
        Assert.Equal(entries, results.Select(result => result.Entry));
        Assert.All(results, result => Assert.Null(result.Failure));
        Assert.Empty(deleter.TakeResults());
    }

    /// <summary>The id is a hash of the tuple and of the entry's memory address. An entry that takes the address immediately has the same
    /// id, and they can't be distinguished. So other entries are created first to take that address.</summary>
    private ConntrackEntry CreateWithAnotherId(uint id)
    {
        for (int blocker = 1; ; blocker++)
        {
            TableFiller.Create(_ns, Entries.Udp("192.0.2.9", blocker, "198.51.100.9", 1), Entries.Any());
            ConntrackEntry newcomer = _ns.Table.Read(new ConntrackFilter { Protocol = [IPProtocol.Tcp] }).Single();
            if (newcomer.Id != id)
                return newcomer;
            Delete(EntryKey.Of(newcomer));
        }
    }

    private void Delete(EntryKey key)
    {
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(key, key);
        deleter.Flush();
        Assert.Equal((1L, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
    }

    private static IEnumerable<uint?> Ids(IEnumerable<ConntrackEntry> entries) => entries.Select(entry => entry.Id).Order();

    private IEnumerable<uint?> ShownIds() => ConntrackTool.ListXml(_ns).Select(flow => flow.Id).Order();
}
