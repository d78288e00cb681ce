using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Top.Snapshots;

/// <summary>What a live view needs of an entry, in 144 bytes and without an object: a million of them are looked at each
/// second or so.</summary>
internal struct TopEntry
{
    public ConntrackTuple Original;
    public ConntrackTuple Reply;

    /// <summary>Both ways; 0 without accounting.</summary>
    public ulong Packets;
    public ulong Bytes;

    /// <summary>Both ways, since the snapshot before; of entries that are new since then all.</summary>
    public ulong MovedPackets;
    public ulong MovedBytes;

    public uint Id;
    public uint Timeout;
    public uint Mark;
    public ConntrackStatus Status;
    public EntryFields Fields;
    public ushort Zone;
    public ushort OriginalZone;
    public ushort ReplyZone;
    public ConntrackState State;

    /// <summary>The zone of both directions or of either, as people ask for it.</summary>
    public readonly ushort AnyZone => Has(EntryFields.OriginalZone) ? OriginalZone : Has(EntryFields.ReplyZone) ? ReplyZone : Zone;

    /// <summary>Names the entry exactly, for a deletion.</summary>
    public readonly EntryKey Key => new(
        Original, Zone, Has(EntryFields.OriginalZone) ? OriginalZone : null, Has(EntryFields.Id) ? Id : null)
    {
        ReplyZone = Has(EntryFields.ReplyZone) ? ReplyZone : null,
        Reply = Reply,
    };

    public readonly bool Has(EntryFields field) => (Fields & field) != 0;

    /// <summary>Takes over an entry that was read.</summary>
    public void Take(ConntrackEntry entry)
    {
        (Original, Reply) = (entry.Original, entry.Reply);
        (Packets, Bytes) = (entry.RawPackets, entry.RawBytes);
        (MovedPackets, MovedBytes) = (0, 0);
        (Id, Timeout, Mark, Status, Fields) = (entry.RawId, entry.RawTimeout, entry.RawMark, entry.Status, entry.Fields);
        (Zone, OriginalZone, ReplyZone, State) = (entry.Zone, entry.RawOriginalZone, entry.RawReplyZone, entry.RawState);
    }

    /// <summary>Makes an entry that has what this has; both ways' counters become the original direction's.</summary>
    public readonly void CopyTo(ConntrackEntry entry)
    {
        const EntryFields Kept = EntryFields.Id | EntryFields.Timeout | EntryFields.State | EntryFields.OriginalCounters
            | EntryFields.OriginalZone | EntryFields.ReplyZone;
        (entry.Original, entry.Reply) = (Original, Reply);
        (entry.RawOriginalPackets, entry.RawOriginalBytes) = (Packets, Bytes);
        (entry.RawId, entry.RawTimeout, entry.RawMark, entry.Status, entry.Fields) = (Id, Timeout, Mark, Status, Fields & Kept);
        (entry.Zone, entry.RawOriginalZone, entry.RawReplyZone, entry.RawState) = (Zone, OriginalZone, ReplyZone, State);
    }
}
