using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Creates entries in a namespace's table.</summary>
internal static class TableFiller
{
    /// <summary>Creates entries. If the kernel refuses one, the test fails with the reason.</summary>
    public static void Create(NetworkNamespaceFixture ns, params IEnumerable<ConntrackEntry> entries)
    {
        using NetlinkSocket socket = NetlinkSocket.Open(ns.Namespace);
        using NetlinkConnection connection = new(socket);
        NetlinkBatch batch = connection.CreateBatch("create an entry");
        List<ConntrackEntry> waiting = [];
        foreach (ConntrackEntry entry in entries)
        {
            batch.Add(EntryEncoder.Create(batch.NextMessage, entry, MessageFlags.Create | MessageFlags.Exclusive));
            waiting.Add(entry);
            if (batch.IsFull)
                Send();
        }

        Send();

        void Send()
        {
            batch.Send((index, answer) => Assert.Fail($"{waiting[index]} was refused: {answer}"));
            waiting.Clear();
        }
    }

    /// <summary>True if the kernel accepts the entry, which is then in the table.</summary>
    public static bool TryCreate(NetworkNamespaceFixture ns, ConntrackEntry entry)
    {
        using NetlinkConnection connection = NetlinkConnection.Open(ns.Namespace);
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        int length = EntryEncoder.Create(buffer, entry, MessageFlags.Create | MessageFlags.Exclusive | MessageFlags.Ack);
        try
        {
            connection.Request(buffer.AsSpan(0, length), "create an entry");
            return true;
        }
        catch (NetlinkException exception) when (exception.Errno == Errno.NotSupported)
        {
            return false;
        }
    }

    /// <summary>Fills the table with this number of different TCP entries. Every second one is IPv6.</summary>
    public static void Fill(NetworkNamespaceFixture ns, int count) => Create(ns, Enumerable.Range(0, count).Select(Numbered));

    /// <summary>One of the entries of <see cref="Fill"/>.</summary>
    public static ConntrackEntry Numbered(int number)
    {
        (int host, int port) = (number / 50_000, number % 50_000 + 1);
        return number % 2 == 0
            ? Entries.Tcp($"10.0.{host}.1", port, "198.51.100.7", 80)
            : Entries.Tcp($"2001:db8::{host}:1", port, "2001:db8::ffff:7", 80);
    }
}
