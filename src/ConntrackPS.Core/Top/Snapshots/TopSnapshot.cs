using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Top.Snapshots;

/// <summary>The table at one moment, as a live view shows it.</summary>
internal sealed class TopSnapshot
{
    private (TopGrouping Grouping, TopGroups Groups)? _groups;

    /// <summary>The entries that match the view's filter, in the order of the kernel.</summary>
    public BlockList<TopEntry> Entries { get; } = new();

    /// <summary>Sums over these.</summary>
    public TopTotals Totals { get; } = new();

    /// <summary>The filter under which it was read.</summary>
    public ConntrackFilter Filter { get; set; } = new();

    /// <summary>When reading began, local time.</summary>
    public DateTime Time { get; set; }

    /// <summary>Seconds since the snapshot before; null for the first, which has no rates.</summary>
    public double? Seconds { get; set; }

    /// <summary>Entries of the whole table (nf_conntrack_count).</summary>
    public long TableCount { get; set; }

    /// <summary>Entries allowed (nf_conntrack_max); 0 where it is not known.</summary>
    public long TableMaximum { get; set; }

    /// <summary>The table changed while it was read, in a way that may have lost entries.</summary>
    public bool IsInterrupted { get; set; }

    /// <summary>An amount since the snapshot before, per second.</summary>
    public double PerSecond(ulong moved) => Seconds is { } seconds && seconds > 0 ? moved / seconds : 0;

    /// <summary>The entries by group; made when first asked for, and kept.</summary>
    public TopGroups GroupsBy(TopGrouping grouping)
    {
        if (_groups is not { } known || known.Grouping != grouping)
            _groups = known = (grouping, new TopGroups(this, grouping));
        return known.Groups;
    }

    /// <summary>Empties the snapshot, and keeps its room.</summary>
    public void Clear()
    {
        _groups = null;
        Entries.Clear();
        Totals.Clear();
        (Seconds, IsInterrupted) = (null, false);
    }
}

/// <summary>Sums over the entries of a snapshot.</summary>
internal sealed class TopTotals
{
    private readonly int[] _protocols = new int[256];

    public int Assured { get; private set; }

    public int Unreplied { get; private set; }

    public ulong MovedPackets { get; private set; }

    public ulong MovedBytes { get; private set; }

    /// <summary>True where any entry has counters.</summary>
    public bool HasCounters { get; private set; }

    /// <summary>Entries of a protocol.</summary>
    public int this[IPProtocol protocol] => _protocols[(byte)protocol];

    public void Add(in TopEntry entry)
    {
        _protocols[(byte)entry.Original.Protocol]++;
        if ((entry.Status & ConntrackStatus.Assured) != 0)
            Assured++;
        if ((entry.Status & ConntrackStatus.SeenReply) == 0)
            Unreplied++;
        MovedPackets += entry.MovedPackets;
        MovedBytes += entry.MovedBytes;
        HasCounters |= entry.Has(EntryFields.OriginalCounters);
    }

    public void Clear()
    {
        Array.Clear(_protocols);
        (Assured, Unreplied, MovedPackets, MovedBytes, HasCounters) = (0, 0, 0, 0, false);
    }
}

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
        (Id, Timeout, Mark, Status, Fields) = (entry.Data.Id, entry.Data.Timeout, entry.Data.Mark, entry.Status, entry.Fields);
        (Zone, OriginalZone, ReplyZone, State) = (entry.Zone, entry.Data.OriginalZone, entry.Data.ReplyZone, entry.Data.State);
    }

    /// <summary>Makes an entry that has what this has; both ways' counters become the original direction's.</summary>
    public readonly void CopyTo(ConntrackEntry entry)
    {
        const EntryFields Kept = EntryFields.Id | EntryFields.Timeout | EntryFields.State | EntryFields.OriginalCounters
            | EntryFields.OriginalZone | EntryFields.ReplyZone;
        (entry.Original, entry.Reply) = (Original, Reply);
        (entry.Data.OriginalPackets, entry.Data.OriginalBytes) = (Packets, Bytes);
        (entry.Data.Id, entry.Data.Timeout, entry.Data.Mark, entry.Status, entry.Fields) = (Id, Timeout, Mark, Status, Fields & Kept);
        (entry.Zone, entry.Data.OriginalZone, entry.Data.ReplyZone, entry.Data.State) = (Zone, OriginalZone, ReplyZone, State);
    }
}

/// <summary>The entries of a snapshot by group.</summary>
internal sealed class TopGroups
{
    private readonly TopSnapshot _snapshot;
    private readonly GroupContext _context = new(32, 128);
    private readonly GroupProperty[] _properties;
    private readonly GroupTable _table;

    /// <summary>Groups all entries.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="grouping">How; not <see cref="TopGrouping.None"/>.</param>
    public TopGroups(TopSnapshot snapshot, TopGrouping grouping)
    {
        (_snapshot, _properties) = (snapshot, PropertiesOf(grouping));
        _table = new GroupTable(new GroupIndex(_properties, _context));
        ConntrackEntry entry = new();
        for (int i = 0; i < snapshot.Entries.Count; i++)
        {
            ref readonly TopEntry row = ref snapshot.Entries[i];
            row.CopyTo(entry);
            ref GroupTotals totals = ref _table[_table.Add(entry)];
            totals.MovedPackets += row.MovedPackets;
            totals.MovedBytes += row.MovedBytes;
        }
    }

    public int Count => _table.Index.Count;

    /// <summary>Some of the groups, sorted.</summary>
    public List<ConntrackGroup> Window(GroupOrder order, bool isReversed, int start, int length)
    {
        GroupOptions options = new() { SortBy = order, Ascending = isReversed };
        return [.. GroupRanking.Window(_table, options, start, length).Select(ToGroup)];
    }

    private ConntrackGroup ToGroup(int group)
    {
        GroupKey key = new(_properties, _table.Index.ValuesOf(group), _context, _snapshot.Filter);
        return new ConntrackGroup(key, _table[group], _table.Count, _snapshot.Seconds, null);
    }

    private static GroupProperty[] PropertiesOf(TopGrouping grouping) => grouping switch
    {
        TopGrouping.Source => [GroupProperties.Named("SourceAddress")],
        TopGrouping.Destination => [GroupProperties.Named("DestinationAddress")],
        _ => [GroupProperties.Named("Protocol"), GroupProperties.Named("DestinationPort")],
    };
}

/// <summary>What the rows of a live view are.</summary>
public enum TopGrouping
{
    /// <summary>Entries.</summary>
    None,

    /// <summary>A row for each source address.</summary>
    Source,

    /// <summary>A row for each destination address.</summary>
    Destination,

    /// <summary>A row for each protocol and destination port.</summary>
    Port,
}
