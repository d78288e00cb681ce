using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Top.Snapshots;

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
