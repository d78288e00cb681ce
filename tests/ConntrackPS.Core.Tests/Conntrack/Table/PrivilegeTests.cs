using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Without CAP_NET_ADMIN everything is refused, and nothing is reported as done.</summary>
public sealed class PrivilegeTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public PrivilegeTests() => TableFiller.Fill(_ns, 10);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Reading_is_refused() => AssertRefused(table => table.Read().Any());

    [Fact]
    public void Reading_ahead_is_refused() => AssertRefused(table =>
    {
        using EntryStream stream = table.Open();
        return stream.Batches().Any();
    });

    [Fact]
    public void Emptying_is_refused() => AssertRefused(table =>
    {
        table.Clear();
        return true;
    });

    [Fact]
    public void Emptying_one_family_is_refused() => AssertRefused(table =>
    {
        table.Clear(ConntrackPS.Conntrack.IPFamily.IPv4);
        return true;
    });

    /// <summary>The kernel answers only once for a whole batch here, and drops the rest without an answer.</summary>
    [Fact]
    public void No_entry_of_a_batch_is_taken_for_deleted()
    {
        EntryKey[] keys = [.. _ns.Table.Read().Select(EntryKey.Of)];
        long deleted = -1;
        Exception? exception = Unprivileged.Run(_ns.Namespace, () => Record.Exception(() =>
        {
            using EntryDeleter deleter = new ConntrackTable().CreateDeleter();
            try
            {
                foreach (EntryKey key in keys)
                    deleter.Add(key, key);
                deleter.Flush();
            }
            finally
            {
                deleted = deleter.Deleted;
            }
        }));
        Assert.Equal(0, deleted);
        Assert.Equal(Errno.NotPermitted, Assert.IsType<NetlinkException>(exception).Errno);
        Assert.Equal(10, ConntrackTool.ListXml(_ns).Count);
    }

    /// <summary>The kernel checks the sender's privilege, not only that of the process that opened the socket.</summary>
    [Fact]
    public void A_privilege_that_is_dropped_midway_refuses_what_follows_as_a_whole()
    {
        EntryKey[] keys = [.. _ns.Table.Read().Select(EntryKey.Of)];
        using NetlinkConnection connection = NetlinkConnection.Open(_ns.Namespace);
        NetlinkBatch batch = connection.CreateBatch("delete an entry");
        batch.Add(TableRequests.Delete(batch.NextMessage, (EntryAddress.Of(keys[0]), keys[0].Id!.Value)));
        batch.Send((_, answer) => Assert.Fail(answer.ToString()));
        Exception? exception = Unprivileged.Run(_ns.Namespace, () => Record.Exception(() =>
        {
            foreach (EntryKey key in keys[1..])
                batch.Add(TableRequests.Delete(batch.NextMessage, (EntryAddress.Of(key), key.Id!.Value)));
            batch.Send((_, _) => { });
        }));
        Assert.Equal(Errno.NotPermitted, Assert.IsType<NetlinkException>(exception).Errno);
        Assert.Equal(9, ConntrackTool.ListXml(_ns).Count);
    }

    private void AssertRefused(Func<ConntrackTable, bool> action)
    {
        Exception? exception = Unprivileged.Run(_ns.Namespace, () => Record.Exception(() => action(new ConntrackTable())));
        Assert.Equal(Errno.NotPermitted, Assert.IsType<NetlinkException>(exception).Errno);
        Assert.Equal(10, ConntrackTool.ListXml(_ns).Count);
    }
}
