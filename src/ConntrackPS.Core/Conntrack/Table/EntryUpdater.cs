using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Changes entries one by one, in batches. An entry that is gone already is counted, and no failure.</summary>
/// <remarks>The kernel's request has no id: it changes whatever entry has the tuple. So all of a batch are looked up and
/// compared at once, and right after that those that were found are changed; what takes an entry's tuple in between, a
/// millisecond or so, is changed in its place.</remarks>
public sealed class EntryUpdater : NamedEntryBatch
{
    private const string Operation = "change a connection-tracking entry";

    internal EntryUpdater(NetworkNamespace? networkNamespace, bool keepChanged)
        : this(new EntryLookup(networkNamespace, Operation), networkNamespace, keepChanged)
    {
    }

    internal EntryUpdater(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepChanged)
        : base(lookup, networkNamespace, Operation, keepChanged)
    {
    }

    /// <summary>Entries changed so far.</summary>
    public long Changed => Done;

    /// <summary>Adds an entry to change.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="change">What to change.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="IncompleteTupleException">The key leaves out what names the entry.</exception>
    /// <exception cref="Netlink.NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(in EntryKey key, EntryChange change, object entry)
    {
        key.ThrowIfIncomplete();
        AddToLookUp(new NamedEntry(key, change, entry));
    }

    private protected override void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address) =>
        Enqueue(Write, (address, named.Change!, present), named);

    private static int Write(Span<byte> buffer, in (EntryAddress Address, EntryChange Change, ConntrackEntry Present) request) =>
        ChangeEncoder.Encode(buffer, request.Address, request.Change, request.Present);
}
