using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Bench.Filling;

/// <summary>Replaces the entries of a namespace's table by a <see cref="SyntheticTable"/>.</summary>
internal static class TableFiller
{
    private const string Operation = "create a connection-tracking entry";

    /// <exception cref="BenchException">Not all entries exist afterwards.</exception>
    public static void Fill(NetworkNamespace networkNamespace, int count)
    {
        new ConntrackTable(networkNamespace).Clear();
        Add(networkNamespace, Enumerable.Range(0, count).Select(SyntheticTable.Entry));
        long? found = ConntrackStat.Read(networkNamespace).Count;
        if (found != count)
            throw new BenchException($"the table holds {found} entries where {count} were created.");
    }

    /// <summary>Creates entries in addition to those of the table.</summary>
    public static void Add(NetworkNamespace networkNamespace, IEnumerable<ConntrackEntry> entries)
    {
        using NetlinkConnection connection = NetlinkConnection.Open(networkNamespace);
        NetlinkBatch batch = connection.CreateBatch(Operation);
        foreach (ConntrackEntry entry in entries)
        {
            batch.Add(EntryEncoder.Create(batch.NextMessage, entry, MessageFlags.Create | MessageFlags.Exclusive));
            if (batch.IsFull)
                batch.Send(Refuse);
        }

        batch.Send(Refuse);
    }

    private static void Refuse(int index, NetlinkAnswer answer) => throw answer.ToException(Operation);
}
