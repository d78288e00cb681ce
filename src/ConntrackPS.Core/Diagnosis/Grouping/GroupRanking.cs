using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

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
