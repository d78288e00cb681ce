using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Changes entries one by one, in batches. An entry that is gone already is counted, and no failure.</summary>
public sealed class EntryUpdater : ExistingEntryBatch
{
    private readonly EntryFinder _finder;

    internal EntryUpdater(NetworkNamespace? networkNamespace, bool keepChanged)
        : base(networkNamespace, "change a connection-tracking entry", keepChanged) =>
        _finder = new EntryFinder(networkNamespace);

    /// <summary>Entries changed so far.</summary>
    public long Changed => Done;

    /// <summary>Adds an entry to change.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="change">What to change.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="Netlink.NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(in EntryKey key, EntryChange change, object entry)
    {
        ConntrackEntry? present = null;
        if (change.NeedsPresentEntry(key.Original.Protocol) && (present = _finder.Find(key)) is null)
        {
            AlreadyGone++;
            return;
        }

        Add(Write, (key, change, present), entry);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _finder.Dispose();
        base.Dispose(disposing);
    }

    private static int Write(Span<byte> buffer, in (EntryKey Key, EntryChange Change, ConntrackEntry? Present) request) =>
        ChangeEncoder.Encode(buffer, request.Key, request.Change, request.Present);
}
