using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>The time when added requests are sent, and that every answer is counted.</summary>
public sealed class EntryDeleterBatchTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Tens_of_thousands_of_refusals_are_all_counted()
    {
        const int Count = 60_000;
        TableFiller.Fill(_ns, Count);
        List<EntryKey> keys = [.. _ns.Table.Read().Select(EntryKey.Of)];
        Assert.Equal(Count, keys.Count);
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        foreach (EntryKey key in keys.Where((_, index) => index % 2 == 0))
            deleter.Add(key, key);
        deleter.Flush();
        Assert.Equal((Count / 2, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));

        // All of them again, so that every second one is refused, and then a third time, when every one is refused.
        foreach (EntryKey key in (EntryKey[])[.. keys, .. keys])
            deleter.Add(key, key);
        deleter.Flush();
        Assert.Equal((Count, Count + Count / 2, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Empty(ConntrackTool.ListXml(_ns));
    }

    [Fact]
    public void What_was_added_goes_out_by_itself_after_a_while()
    {
        TableFiller.Fill(_ns, 3);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(EntryKey.Of(entries[0]), entries[0]);
        Assert.True(Wait.Until(() => ConntrackTool.ListXml(_ns).Count == 2));

        // The next one too: the timer starts again.
        deleter.Add(EntryKey.Of(entries[1]), entries[1]);
        Assert.True(Wait.Until(() => ConntrackTool.ListXml(_ns).Count == 1));
        Assert.Equal(2, deleter.Deleted);
    }

    [Fact]
    public void Dispose_without_Flush_deletes_nothing_later()
    {
        TableFiller.Fill(_ns, 1);
        ConntrackEntry entry = _ns.Table.Read().Single();
        EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(EntryKey.Of(entry), entry);
        deleter.Dispose();

        // Either the timer fired before Dispose, or nothing is sent. Neither may fail.
        deleter.Dispose();
        Assert.InRange(ConntrackTool.ListXml(_ns).Count, 0, 1);
    }

    [Fact]
    public void Several_threads_may_add_at_once()
    {
        const int Count = 8_000;
        TableFiller.Fill(_ns, Count);
        List<EntryKey> keys = [.. _ns.Table.Read().Select(EntryKey.Of)];
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        Parallel.ForEach(keys, key => deleter.Add(key, key));
        deleter.Flush();
        Assert.Equal(Count, deleter.Deleted);
        Assert.Empty(ConntrackTool.ListXml(_ns));
    }

    [Fact]
    public void A_refusal_names_the_entry_and_the_reason_and_the_rest_goes_on()
    {
        TableFiller.Fill(_ns, 2);
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];

        // No kernel that tracks SCTP deletes by an incomplete tuple.
        EntryKey broken = EntryKey.Of(entries[0]) with { Original = entries[0].Original with { Protocol = IPProtocol.Sctp, HasPorts = false } };
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(EntryKey.Of(entries[0]), "first");
        deleter.Add(broken, "broken");
        deleter.Add(EntryKey.Of(entries[1]), "last");
        deleter.Flush();
        Assert.Equal((2L, 0L, 1L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        EntryResult refused = Assert.Single(deleter.TakeResults());
        Assert.Equal("broken", refused.Entry);
        Assert.Equal(Errno.InvalidArgument, Assert.IsType<NetlinkException>(refused.Failure).Errno);
        Assert.Empty(ConntrackTool.ListXml(_ns));
    }

    [Fact]
    public void A_key_without_a_tuple_deletes_nothing()
    {
        TableFiller.Fill(_ns, 5);
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        Assert.Throws<IncompleteTupleException>(() => deleter.Add(default, "nothing"));
        deleter.Flush();
        Assert.Equal((0L, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Equal(5, ConntrackTool.ListXml(_ns).Count);
    }
}
