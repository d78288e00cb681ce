using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>The grouping of entries, and the selection and order of the groups.</summary>
public sealed record GroupOptions
{
    /// <summary>The properties to group by. At least one.</summary>
    public IReadOnlyList<GroupProperty> GroupBy { get; init; } = [GroupProperties.Named("Protocol"), GroupProperties.Named("State")];

    /// <summary>The prefix length of IPv4 addresses, 0 to 32.</summary>
    public int Prefix { get; init; } = 32;

    /// <summary>The prefix length of IPv6 addresses, 0 to 128.</summary>
    public int PrefixIPv6 { get; init; } = 128;

    /// <summary>The sort key of the groups. Equal groups are sorted by their values.</summary>
    public GroupOrder SortBy { get; init; }

    /// <summary>True to sort the smallest first instead of the largest.</summary>
    public bool Ascending { get; init; }

    /// <summary>Returns only the first N groups. Null for all.</summary>
    public int? Top { get; init; }
}

/// <summary>The sort keys of groups.</summary>
public enum GroupOrder
{
    /// <summary>The number of entries.</summary>
    Count,

    /// <summary>Packets in both directions. Needs accounting (nf_conntrack_acct).</summary>
    TotalPackets,

    /// <summary>Bytes in both directions. Needs accounting.</summary>
    TotalBytes,

    /// <summary>Packets from the source. Needs accounting.</summary>
    OriginalPackets,

    /// <summary>Bytes from the source. Needs accounting.</summary>
    OriginalBytes,

    /// <summary>Packets of replies. Needs accounting.</summary>
    ReplyPackets,

    /// <summary>Bytes of replies. Needs accounting.</summary>
    ReplyBytes,

    /// <summary>Entries that are assured.</summary>
    Assured,

    /// <summary>Entries without a reply.</summary>
    Unreplied,

    /// <summary>Entries in state SynSent. Many from one source indicate a scan or a flood.</summary>
    SynSent,

    /// <summary>Entries in state Established.</summary>
    Established,

    /// <summary>Entries in state TimeWait.</summary>
    TimeWait,

    /// <summary>Bits per second in both directions. Needs two passes, and accounting.</summary>
    BitsPerSecond,

    /// <summary>Packets per second in both directions. Needs two passes, and accounting.</summary>
    PacketsPerSecond,

    /// <summary>New entries per second. Needs two passes.</summary>
    NewPerSecond,

    /// <summary>Ended entries per second. Needs two passes.</summary>
    ClosedPerSecond,
}

/// <summary>Selects and sorts the requested groups.</summary>
internal static class GroupRanking
{
    /// <summary>The requested groups, with the first one first.</summary>
    public static int[] Rank(GroupTable table, GroupOptions options) =>
        Window(table, options, 0, options.Top ?? int.MaxValue);

    /// <summary>A range of the groups, in the requested order.</summary>
    /// <param name="table">The groups.</param>
    /// <param name="options">The order.</param>
    /// <param name="start">The index of the first one, from 0.</param>
    /// <param name="length">The number of groups. Indexes after the end are ignored.</param>
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
