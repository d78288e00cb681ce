using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Faults of the real kernel: no room for answers, no room for requests, and a deleted namespace.</summary>
public sealed class KernelFaultTests : IDisposable
{
    private const int Count = 5000;

    /// <summary>The minimum that the kernel grants, whatever the request.</summary>
    private const int TooSmall = 1;

    private readonly NetworkNamespaceFixture _ns = new();
    private bool _deleted;

    public void Dispose()
    {
        if (!_deleted)
            _ns.Dispose();
    }

    /// <summary>Lost refusals must not count as deletions.</summary>
    [Fact]
    public void A_batch_whose_refusals_find_no_room_is_an_error()
    {
        using NetlinkSocket socket = NetlinkSocket.Open(_ns.Namespace);
        using NetlinkConnection connection = new(socket);
        NetlinkBatch batch = connection.CreateBatch("delete an entry");
        socket.RequestReceiveBuffer(TooSmall);
        AddDeletions(batch, Enumerable.Range(0, 200).Select(TableFiller.Numbered));
        Assert.Equal(Errno.NoBuffers, Assert.Throws<NetlinkException>(() => batch.Send((_, _) => { })).Errno);
    }

    [Fact]
    public void A_batch_that_is_too_large_to_send_is_an_error_and_changes_nothing()
    {
        TableFiller.Fill(_ns, 100);
        using NetlinkSocket socket = NetlinkSocket.Open(_ns.Namespace);
        using NetlinkConnection connection = new(socket);
        NetlinkBatch batch = connection.CreateBatch("delete an entry");
        socket.RequestBuffers(8 * 1024 * 1024, TooSmall);
        AddDeletions(batch, _ns.Table.Read());
        int refusals = 0;
        Assert.Equal(Errno.MessageTooLong, Assert.Throws<NetlinkException>(() => batch.Send((_, _) => refusals++)).Errno);
        Assert.Equal(0, refusals);
        Assert.Equal(100, ConntrackTool.ListXml(_ns).Count);
    }

    /// <summary>The kernel fills the next datagram when there is room again.</summary>
    [Fact]
    public void A_dump_through_the_smallest_buffer_is_whole()
    {
        TableFiller.Fill(_ns, Count);
        ScanTerms terms = new()
        {
            Open = where =>
            {
                NetlinkSocket socket = NetlinkSocket.Open(where);
                socket.RequestReceiveBuffer(TooSmall);
                return new NetlinkConnection(socket);
            },
        };
        using EntryReader reader = new(_ns.Namespace, FilterPlanner.Plan(new ConntrackFilter()), terms: terms);
        HashSet<ConntrackTuple> read = [];
        while (reader.ReadBatch() is { } batch)
            read.UnionWith(batch.Select(entry => entry.Original));
        Assert.Equal(Count, read.Count);
    }

    /// <summary>The socket keeps the namespace alive after its name is gone.</summary>
    [Fact]
    public void A_namespace_that_is_deleted_under_a_dump_is_read_to_its_end()
    {
        TableFiller.Fill(_ns, Count);
        using EntryStream stream = _ns.Table.Open();
        int read = 0;
        foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
        {
            if (!_deleted)
                Delete();
            read += batch.Count;
        }

        Assert.Equal(Count, read);
        Assert.Equal(Errno.NotFound, Assert.Throws<NetworkNamespaceException>(() => _ns.Table.Read().Any()).Errno);
    }

    [Fact]
    public void A_namespace_that_is_deleted_under_a_deletion_loses_what_was_named_and_no_count()
    {
        TableFiller.Fill(_ns, Count);
        List<EntryKey> keys = [.. _ns.Table.Read().Select(EntryKey.Of)];
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        foreach (EntryKey key in keys)
        {
            if (!_deleted && deleter.Deleted > 0)
                Delete();
            deleter.Add(key, key);
        }

        deleter.Flush();
        Assert.True(_deleted);
        Assert.Equal(Count, deleter.Deleted + deleter.AlreadyGone);
        Assert.Equal(0, deleter.Failed);
    }

    private static void AddDeletions(NetlinkBatch batch, IEnumerable<ConntrackEntry> entries)
    {
        foreach (ConntrackEntry entry in entries)
            batch.Add(TableRequests.Delete(batch.NextMessage, (EntryAddress.Of(EntryKey.Of(entry)), entry.Data.Id)));
    }

    private void Delete()
    {
        _ns.Dispose();
        _deleted = true;
    }
}
