using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Finds an entry's group by its properties, one after another; takes memory for groups, and none for entries.
/// </summary>
internal sealed class GroupIndex
{
    private readonly GroupContext _context;
    private readonly GroupProperty[] _properties;
    private readonly GroupLevel[] _levels;

    public GroupIndex(IEnumerable<GroupProperty> properties, GroupContext context)
    {
        (_context, _properties) = (context, [.. properties]);
        _levels = [.. _properties.Select(_ => new GroupLevel())];
    }

    /// <summary>How many groups there are.</summary>
    public int Count => _levels[^1].Count;

    /// <summary>The entry's group, from 0 in the order in which they first come.</summary>
    public int GroupOf(ConntrackEntry entry)
    {
        int number = 0;
        for (int i = 0; i < _levels.Length; i++)
            number = _levels[i].NumberOf(number, _properties[i].Read(entry, _context));
        return number;
    }

    /// <summary>The values that a group's entries have in common, in the order of the properties.</summary>
    public GroupValue[] ValuesOf(int group)
    {
        GroupValue[] values = new GroupValue[_levels.Length];
        for (int i = _levels.Length - 1; i >= 0; i--)
            (group, values[i]) = _levels[i][group];
        return values;
    }

    /// <summary>Puts two groups in the order of their values.</summary>
    public int Compare(int left, int right) => Compare(_levels.Length - 1, left, right);

    public void Clear()
    {
        foreach (GroupLevel level in _levels)
            level.Clear();
    }

    private int Compare(int level, int left, int right)
    {
        if (left == right)
            return 0;
        (int leftParent, GroupValue leftValue) = _levels[level][left];
        (int rightParent, GroupValue rightValue) = _levels[level][right];
        int order = level == 0 ? 0 : Compare(level - 1, leftParent, rightParent);
        return order != 0 ? order : leftValue.CompareTo(rightValue);
    }
}
