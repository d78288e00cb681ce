using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Creates entries one by one, in batches.</summary>
public sealed class EntryCreator : EntryBatch
{
    internal EntryCreator(NetworkNamespace? networkNamespace, bool keepCreated)
        : base(networkNamespace, "create a connection-tracking entry", keepCreated)
    {
    }

    /// <summary>Entries created so far.</summary>
    public long Created => Done;

    /// <summary>Adds an entry to create.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="tag">Comes back with the result.</param>
    /// <exception cref="IncompleteTupleException">A tuple of the entry or its master's is not whole.</exception>
    /// <exception cref="NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(ConntrackEntry entry, object tag)
    {
        ArgumentNullException.ThrowIfNull(entry);
        entry.ThrowIfIncomplete();
        Add(Write, entry, tag);
    }

    private protected override bool Forgives(object entry, Errno errno) => false;

    private static int Write(Span<byte> buffer, in ConntrackEntry entry) =>
        EntryEncoder.Create(buffer, entry, MessageFlags.Create | MessageFlags.Exclusive);
}
