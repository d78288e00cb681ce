using System.Runtime.CompilerServices;
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

/// <summary>What is summed up for a group.</summary>
/// <remarks>What every entry changes comes first, on one line of the processor's cache.</remarks>
internal struct GroupTotals
{
    /// <summary>Places of counts in <see cref="States"/>; those between are TCP's states, whose numbers in
    /// <see cref="ConntrackState"/> are 1 to 9.</summary>
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

    /// <summary>Nanoseconds since 1970; 0 where no entry has a start time.</summary>
    public ulong Oldest;
    public ulong Newest;

    /// <summary>What changed since an earlier pass; all 0 without one.</summary>
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
