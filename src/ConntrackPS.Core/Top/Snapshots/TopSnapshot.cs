using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Top.Snapshots;

/// <summary>The table at one moment, for a live view.</summary>
internal sealed class TopSnapshot
{
    private (TopGrouping Grouping, TopGroups Groups)? _groups;

    /// <summary>The entries that match the view's filter, in the kernel's order.</summary>
    public BlockList<TopEntry> Entries { get; } = new();

    /// <summary>The sums over these entries.</summary>
    public TopTotals Totals { get; } = new();

    /// <summary>The filter of the entries.</summary>
    public ConntrackFilter Filter { get; set; } = new();

    /// <summary>The time when reading started, local time.</summary>
    public DateTime Time { get; set; }

    /// <summary>Seconds since the previous snapshot. Null for the first one, which has no rates.</summary>
    public double? Seconds { get; set; }

    /// <summary>The number of entries in the whole table (nf_conntrack_count).</summary>
    public long TableCount { get; set; }

    /// <summary>The maximum of entries (nf_conntrack_max). 0 if unknown.</summary>
    public long TableMaximum { get; set; }

    /// <summary>The number of entries that the previous snapshot did not have. 0 without one.</summary>
    public int Began { get; set; }

    /// <summary>New entries per second. Those that began and ended between two snapshots are not seen. Null for the first one.</summary>
    public double? NewPerSecond => Seconds is > 0 and var seconds ? Began / seconds : null;

    /// <summary>Packets dropped and entries dropped early in the whole table since the previous snapshot, per second. Null for the first
    /// one.</summary>
    public double? DropPerSecond { get; set; }

    /// <summary>The sources with the most entries, the largest first.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> TopSources { get; set; } = [];

    /// <summary>True if the table was resized while it was read, so that entries may be missing.</summary>
    public bool IsInterrupted { get; set; }

    /// <summary>An amount since the previous snapshot, per second.</summary>
    public double PerSecond(ulong moved) => Seconds is { } seconds && seconds > 0 ? moved / seconds : 0;

    /// <summary>The entries by group. Built on first access, and cached.</summary>
    public TopGroups GroupsBy(TopGrouping grouping)
    {
        if (_groups is not { } known || known.Grouping != grouping)
            _groups = known = (grouping, new TopGroups(this, grouping));
        return known.Groups;
    }

    /// <summary>Clears the snapshot, and keeps its memory.</summary>
    public void Clear()
    {
        _groups = null;
        Entries.Clear();
        Totals.Clear();
        (Seconds, IsInterrupted, Began, DropPerSecond, TopSources) = (null, false, 0, null, []);
    }
}

/// <summary>The sums over the entries of a snapshot.</summary>
internal sealed class TopTotals
{
    private readonly int[] _protocols = new int[256];

    public int Assured { get; private set; }

    public int Unreplied { get; private set; }

    public ulong MovedPackets { get; private set; }

    public ulong MovedBytes { get; private set; }

    /// <summary>True if any entry has counters.</summary>
    public bool HasCounters { get; private set; }

    /// <summary>The number of entries of a protocol.</summary>
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

/// <summary>The values of an entry that a live view needs, in 144 bytes and without an object. It handles about a million of them per
/// second.</summary>
internal struct TopEntry
{
    public ConntrackTuple Original;
    public ConntrackTuple Reply;

    /// <summary>In both directions. 0 without accounting.</summary>
    public ulong Packets;
    public ulong Bytes;

    /// <summary>In both directions since the previous snapshot. The total for new entries.</summary>
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

    /// <summary>The number of the zone, for both directions or for one.</summary>
    public readonly ushort AnyZone => Has(EntryFields.OriginalZone) ? OriginalZone : Has(EntryFields.ReplyZone) ? ReplyZone : Zone;

    /// <summary>Identifies the entry exactly, for a deletion.</summary>
    public readonly EntryKey Key => new(
        Original, Zone, Has(EntryFields.OriginalZone) ? OriginalZone : null, Has(EntryFields.Id) ? Id : null)
    {
        ReplyZone = Has(EntryFields.ReplyZone) ? ReplyZone : null,
        Reply = Reply,
    };

    public readonly bool Has(EntryFields field) => (Fields & field) != 0;

    /// <summary>Copies the values of an entry that was read.</summary>
    public void Take(ConntrackEntry entry)
    {
        (Original, Reply) = (entry.Original, entry.Reply);
        (Packets, Bytes) = (entry.RawPackets, entry.RawBytes);
        (MovedPackets, MovedBytes) = (0, 0);
        (Id, Timeout, Mark, Status, Fields) = (entry.Data.Id, entry.Data.Timeout, entry.Data.Mark, entry.Status, entry.Fields);
        (Zone, OriginalZone, ReplyZone, State) = (entry.Zone, entry.Data.OriginalZone, entry.Data.ReplyZone, entry.Data.State);
    }

    /// <summary>Copies these values into an entry. The counters of both directions become those of the original direction.</summary>
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
    /// <param name="grouping">The grouping, except <see cref="TopGrouping.None"/>.</param>
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

    /// <summary>A range of the groups, sorted.</summary>
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

/// <summary>The rows of a live view.</summary>
public enum TopGrouping
{
    /// <summary>One row per entry.</summary>
    None,

    /// <summary>One row per source address.</summary>
    Source,

    /// <summary>One row per destination address.</summary>
    Destination,

    /// <summary>One row per protocol and destination port.</summary>
    Port,
}

/// <summary>The pages of a live view.</summary>
public enum TopPage
{
    /// <summary>The entries or groups.</summary>
    Table,

    /// <summary>Plots of the session: entries, new entries and losses per second, and the top sources.</summary>
    Plot,
}
