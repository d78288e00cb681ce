using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Groups and their sums.</summary>
internal sealed class GroupTable(GroupIndex index)
{
    private const int BlockBits = 8, BlockSize = 1 << BlockBits;

    // Blocks, since one array would be copied again and again while it grows.
    private readonly List<GroupTotals[]> _blocks = [];

    public GroupIndex Index { get; } = index;

    /// <summary>Entries counted.</summary>
    public long Count { get; private set; }

    /// <summary>The sums of a group.</summary>
    public ref GroupTotals this[int group] => ref _blocks[group >> BlockBits][group & (BlockSize - 1)];

    /// <summary>Counts an entry.</summary>
    /// <returns>Its group.</returns>
    public int Add(ConntrackEntry entry)
    {
        int group = Index.GroupOf(entry);
        if (group >> BlockBits == _blocks.Count)
            _blocks.Add(new GroupTotals[BlockSize]);
        this[group].Add(entry);
        Count++;
        return group;
    }

    public void Clear()
    {
        Index.Clear();
        _blocks.Clear();
        Count = 0;
    }

    /// <summary>Begins to count anew; groups keep their numbers.</summary>
    public void ClearTotals()
    {
        _blocks.ForEach(Array.Clear);
        Count = 0;
    }
}
