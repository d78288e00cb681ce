using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Deletes entries one by one, in batches. An entry that is gone already is counted, and no failure.</summary>
public sealed class EntryDeleter : ExistingEntryBatch
{
    internal EntryDeleter(NetworkNamespace? networkNamespace, bool keepDeleted)
        : base(networkNamespace, "delete a connection-tracking entry", keepDeleted)
    {
    }

    /// <summary>Entries deleted so far.</summary>
    public long Deleted => Done;

    /// <summary>Adds an entry to delete.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="Netlink.NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(in EntryKey key, object entry) => Add(TableRequests.Delete, key, entry);
}
