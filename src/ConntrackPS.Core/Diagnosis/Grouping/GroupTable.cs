using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Groups and their sums.</summary>
internal sealed class GroupTable(GroupIndex index)
{
    private readonly BlockList<GroupTotals> _totals = new();

    public GroupIndex Index { get; } = index;

    /// <summary>Entries counted.</summary>
    public long Count { get; private set; }

    /// <summary>The sums of a group.</summary>
    public ref GroupTotals this[int group] => ref _totals[group];

    /// <summary>Counts an entry.</summary>
    /// <returns>Its group.</returns>
    public int Add(ConntrackEntry entry)
    {
        int group = Index.GroupOf(entry);
        if (group == _totals.Count)
            _totals.Add() = default;
        _totals[group].Add(entry);
        Count++;
        return group;
    }

    public void Clear()
    {
        Index.Clear();
        _totals.Clear();
        Count = 0;
    }

    /// <summary>Begins to count anew; groups keep their numbers.</summary>
    public void ClearTotals()
    {
        _totals.Empty();
        Count = 0;
    }
}
