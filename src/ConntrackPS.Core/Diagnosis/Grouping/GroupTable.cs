using System.Numerics;
using System.Runtime.CompilerServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Walk;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Groups and their sums.</summary>
internal sealed class GroupTable(GroupIndex index)
{
    private readonly BlockList<GroupTotals> _totals = new();

    public GroupIndex Index { get; } = index;

    /// <summary>The number of counted entries.</summary>
    public long Count { get; private set; }

    /// <summary>The sums of a group.</summary>
    public ref GroupTotals this[int group] => ref _totals[group];

    /// <summary>Counts an entry.</summary>
    /// <returns>The number of its group.</returns>
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

    /// <summary>Resets the sums. Groups keep their numbers.</summary>
    public void ClearTotals()
    {
        _totals.Empty();
        Count = 0;
    }
}

/// <summary>The sums of a group.</summary>
/// <remarks>The fields that every entry changes come first, in one cache line.</remarks>
internal struct GroupTotals
{
    /// <summary>Indexes in <see cref="States"/>. Between them are the TCP states, with the numbers 1 to 9 of <see
    /// cref="ConntrackState"/>.</summary>
    public const int Stateless = 0, OtherState = 10;

    public int Count;
    public int Assured;
    public int Unreplied;
    public int WithCounters;
    public StateCounts States;

    public ulong OriginalPackets;
    public ulong OriginalBytes;
    public ulong ReplyPackets;
    public ulong ReplyBytes;

    /// <summary>Nanoseconds since 1970. 0 if no entry has a start time.</summary>
    public ulong Oldest;
    public ulong Newest;

    /// <summary>Changes since an earlier pass. All 0 without one.</summary>
    public ulong MovedPackets;
    public ulong MovedBytes;
    public int Began;
    public int Ended;

    public void Add(ConntrackEntry entry)
    {
        Count++;
        if ((entry.Status & ConntrackStatus.Assured) != 0)
            Assured++;
        if ((entry.Status & ConntrackStatus.SeenReply) == 0)
            Unreplied++;
        States[!entry.Has(EntryFields.State) ? Stateless : Math.Min((int)entry.Data.State, OtherState)]++;
        if (entry.Has(EntryFields.OriginalCounters))
        {
            WithCounters++;
            OriginalPackets += entry.OriginalPackets ?? 0;
            OriginalBytes += entry.OriginalBytes ?? 0;
        }

        if (entry.Has(EntryFields.ReplyCounters))
        {
            ReplyPackets += entry.ReplyPackets ?? 0;
            ReplyBytes += entry.ReplyBytes ?? 0;
        }

        if (entry.Has(EntryFields.StartTime))
        {
            Oldest = Oldest == 0 ? entry.Data.Start : Math.Min(Oldest, entry.Data.Start);
            Newest = Math.Max(Newest, entry.Data.Start);
        }
    }

    [InlineArray(OtherState + 1)]
    internal struct StateCounts
    {
        private int _first;
    }
}

/// <summary>Finds the group of an entry by its properties, one after another. Uses memory only per group, not per entry.</summary>
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

    /// <summary>The number of groups.</summary>
    public int Count => _levels[^1].Count;

    /// <summary>The parts of an entry that the properties look at.</summary>
    public EntryParts Parts => _properties.Aggregate(EntryParts.None, (parts, property) => parts | property.Parts);

    /// <summary>The number of the entry's group, from 0 in order of first appearance.</summary>
    public int GroupOf(ConntrackEntry entry)
    {
        int number = 0;
        for (int i = 0; i < _levels.Length; i++)
            number = _levels[i].NumberOf(number, _properties[i].Read(entry, _context));
        return number;
    }

    /// <summary>The common values of a group, in the order of the properties.</summary>
    public GroupValue[] ValuesOf(int group)
    {
        GroupValue[] values = new GroupValue[_levels.Length];
        for (int i = _levels.Length - 1; i >= 0; i--)
            (group, values[i]) = _levels[i][group];
        return values;
    }

    /// <summary>Compares two groups by their values.</summary>
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

/// <summary>Numbers the values of one property, separately for each combination of the properties before it.</summary>
/// <remarks>A hash table with open addressing, where a lookup reads one place in memory. With a Dictionary the grouping of a million
/// entries took twice as long.</remarks>
internal sealed class GroupLevel
{
    private const int SmallestSize = 256;

    // Random odd factors, so that an attacker who chooses source addresses can't cause collisions.
    private static readonly ulong LowFactor = RandomFactor(), HighFactor = RandomFactor(), ParentFactor = RandomFactor();

    private Slot[] _slots = new Slot[SmallestSize];
    private int[]? _places;

    /// <summary>The number of numbered values.</summary>
    public int Count { get; private set; }

    /// <summary>The number of a value, from 0 in order of first appearance.</summary>
    /// <param name="parent">The number of the value on the previous level, or 0 on the first level.</param>
    /// <param name="value">The value.</param>
    public int NumberOf(int parent, GroupValue value)
    {
        int place = PlaceOf(parent, value);
        while (_slots[place].IsTaken)
        {
            ref readonly Slot slot = ref _slots[place];
            if (slot.Low == value.Low && slot.Parent == parent && slot.High == value.High && slot.Kind == value.Kind)
                return slot.Number;
            place = (place + 1) & (_slots.Length - 1);
        }

        return Add(parent, value, place);
    }

    /// <summary>The value with a number.</summary>
    public (int Parent, GroupValue Value) this[int number]
    {
        get
        {
            ref readonly Slot slot = ref _slots[(_places ??= FindPlaces())[number]];
            return (slot.Parent, slot.Value);
        }
    }

    public void Clear()
    {
        Array.Clear(_slots);
        (Count, _places) = (0, null);
    }

    private static ulong RandomFactor() => (ulong)Random.Shared.NextInt64() << 1 | 1;

    private int Add(int parent, GroupValue value, int place)
    {
        if (Count * 3 >= _slots.Length * 2)
        {
            Grow();
            place = FreePlaceOf(parent, value);
        }

        _places = null;
        _slots[place] = new Slot(parent, value, Count);
        return Count++;
    }

    private void Grow()
    {
        Slot[] old = _slots;
        _slots = new Slot[old.Length * 2];
        foreach (ref readonly Slot slot in old.AsSpan())
        {
            if (slot.IsTaken)
                _slots[FreePlaceOf(slot.Parent, slot.Value)] = slot;
        }
    }

    private int FreePlaceOf(int parent, GroupValue value)
    {
        int place = PlaceOf(parent, value);
        while (_slots[place].IsTaken)
            place = (place + 1) & (_slots.Length - 1);
        return place;
    }

    private int PlaceOf(int parent, GroupValue value)
    {
        ulong mix = (value.Low ^ value.Low >> 32) * LowFactor + (value.High ^ value.High >> 32) * HighFactor + (uint)parent * ParentFactor;
        return (int)(mix >> (64 - BitOperations.Log2((uint)_slots.Length)));
    }

    private int[] FindPlaces()
    {
        int[] places = new int[Count];
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i].IsTaken)
                places[_slots[i].Number] = i;
        }

        return places;
    }

    private readonly struct Slot(int parent, GroupValue value, int number)
    {
        public readonly ulong High = value.High;
        public readonly ulong Low = value.Low;
        public readonly int Parent = parent;
        public readonly byte Kind = value.Kind;
        private readonly int _numberFromOne = number + 1;

        public bool IsTaken => _numberFromOne != 0;

        public int Number => _numberFromOne - 1;

        public GroupValue Value => new(High, Low, Kind);
    }
}
