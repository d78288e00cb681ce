using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Deletes entries one by one, in batches. An entry that is gone already is counted, and no failure.</summary>
/// <remarks>Every request carries an id, so that the kernel deletes no other entry. Where the id is not known, or the kernel
/// finds none of that id, the entry is looked up first.</remarks>
public sealed class EntryDeleter : NamedEntryBatch
{
    private const string Operation = "delete a connection-tracking entry";

    internal EntryDeleter(NetworkNamespace? networkNamespace, bool keepDeleted)
        : this(new EntryLookup(networkNamespace, Operation), networkNamespace, keepDeleted)
    {
    }

    internal EntryDeleter(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepDeleted)
        : base(lookup, networkNamespace, Operation, keepDeleted)
    {
    }

    /// <summary>Entries deleted so far.</summary>
    public long Deleted => Done;

    /// <summary>Adds an entry to delete.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="IncompleteTupleException">The key leaves out what names the entry.</exception>
    /// <exception cref="NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(in EntryKey key, object entry)
    {
        key.ThrowIfIncomplete();
        NamedEntry named = new(key, null, entry);
        if (key.Id is { } id)
            Add(TableRequests.Delete, (EntryAddress.Of(key), id), named);
        else
            AddToLookUp(named);
    }

    private protected override void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address) =>
        Enqueue(TableRequests.Delete, (address, present.RawId), named);
}
