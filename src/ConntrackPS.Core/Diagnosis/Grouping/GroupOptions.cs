using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>How entries are grouped, and which groups are wanted in which order.</summary>
public sealed record GroupOptions
{
    /// <summary>The properties that the entries of a group have in common; at least one.</summary>
    public IReadOnlyList<GroupProperty> GroupBy { get; init; } = [GroupProperties.Named("Protocol"), GroupProperties.Named("State")];

    /// <summary>Leading bits of IPv4 addresses that count, 0 to 32.</summary>
    public int Prefix { get; init; } = 32;

    /// <summary>Leading bits of IPv6 addresses that count, 0 to 128.</summary>
    public int PrefixIPv6 { get; init; } = 128;

    /// <summary>What the groups are sorted by; equal ones come in the order of their values.</summary>
    public GroupOrder SortBy { get; init; }

    /// <summary>The smallest first, instead of the largest.</summary>
    public bool Ascending { get; init; }

    /// <summary>The first so many groups alone; null for all.</summary>
    public int? Top { get; init; }
}

/// <summary>What groups are sorted by.</summary>
public enum GroupOrder
{
    /// <summary>Entries.</summary>
    Count,

    /// <summary>Packets both ways; needs accounting (nf_conntrack_acct).</summary>
    TotalPackets,

    /// <summary>Bytes both ways; needs accounting.</summary>
    TotalBytes,

    /// <summary>Packets from the source; needs accounting.</summary>
    OriginalPackets,

    /// <summary>Bytes from the source; needs accounting.</summary>
    OriginalBytes,

    /// <summary>Packets of replies; needs accounting.</summary>
    ReplyPackets,

    /// <summary>Bytes of replies; needs accounting.</summary>
    ReplyBytes,

    /// <summary>Entries that are assured.</summary>
    Assured,

    /// <summary>Entries that have seen no reply.</summary>
    Unreplied,

    /// <summary>Entries in state SynSent: many from one source are a sign of a scan or a flood.</summary>
    SynSent,

    /// <summary>Entries in state Established.</summary>
    Established,

    /// <summary>Entries in state TimeWait.</summary>
    TimeWait,

    /// <summary>Bits per second both ways; needs two passes, and accounting.</summary>
    BitsPerSecond,

    /// <summary>Packets per second both ways; needs two passes, and accounting.</summary>
    PacketsPerSecond,

    /// <summary>New entries per second; needs two passes.</summary>
    NewPerSecond,

    /// <summary>Ended entries per second; needs two passes.</summary>
    ClosedPerSecond,
}

/// <summary>Puts the wanted groups in the wanted order.</summary>
internal static class GroupRanking
{
    /// <summary>The groups that are wanted, the first one first.</summary>
    public static int[] Rank(GroupTable table, GroupOptions options) =>
        Window(table, options, 0, options.Top ?? int.MaxValue);

    /// <summary>Some of the groups, in the wanted order.</summary>
    /// <param name="table">The groups.</param>
    /// <param name="options">The order.</param>
    /// <param name="start">The first one's rank, from 0.</param>
    /// <param name="length">How many; what hangs over the end is left out.</param>
    public static int[] Window(GroupTable table, GroupOptions options, int start, int length)
    {
        int[] groups = [.. Enumerable.Range(0, table.Index.Count)];
        ulong[] amounts = new ulong[groups.Length];
        for (int i = 0; i < amounts.Length; i++)
            amounts[i] = AmountOf(table[i], options.SortBy);
        start = Math.Clamp(start, 0, groups.Length);
        length = Math.Min(length, groups.Length - start);
        PartialSort.Window(groups.AsSpan(), start, length, new Order(table.Index, amounts, options.Ascending));
        return groups[start..(start + length)];
    }

    private static ulong AmountOf(in GroupTotals totals, GroupOrder order) => order switch
    {
        GroupOrder.TotalPackets => totals.OriginalPackets + totals.ReplyPackets,
        GroupOrder.TotalBytes => totals.OriginalBytes + totals.ReplyBytes,
        GroupOrder.OriginalPackets => totals.OriginalPackets,
        GroupOrder.OriginalBytes => totals.OriginalBytes,
        GroupOrder.ReplyPackets => totals.ReplyPackets,
        GroupOrder.ReplyBytes => totals.ReplyBytes,
        GroupOrder.Assured => (ulong)totals.Assured,
        GroupOrder.Unreplied => (ulong)totals.Unreplied,
        GroupOrder.SynSent => (ulong)totals.States[(int)ConntrackState.SynSent],
        GroupOrder.Established => (ulong)totals.States[(int)ConntrackState.Established],
        GroupOrder.TimeWait => (ulong)totals.States[(int)ConntrackState.TimeWait],
        GroupOrder.BitsPerSecond => totals.MovedBytes,
        GroupOrder.PacketsPerSecond => totals.MovedPackets,
        GroupOrder.NewPerSecond => (ulong)totals.Began,
        GroupOrder.ClosedPerSecond => (ulong)totals.Ended,
        _ => (ulong)totals.Count,
    };

    private sealed class Order(GroupIndex index, ulong[] amounts, bool ascending) : IComparer<int>
    {
        public int Compare(int left, int right)
        {
            int order = amounts[left].CompareTo(amounts[right]);
            if (order == 0)
                return index.Compare(left, right);
            return ascending ? order : -order;
        }
    }
}
