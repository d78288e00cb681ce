using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis;

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
