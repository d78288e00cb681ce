using ConntrackPS.Conntrack;

namespace ConntrackPS.Top.Snapshots;

/// <summary>The sort order of entries: by one column, and for equal values by another.</summary>
/// <param name="Column">The first column.</param>
/// <param name="Then">The second.</param>
/// <param name="IsReversed">True to reverse the natural order of both.</param>
internal sealed record TopOrder(TopColumn Column, TopColumn Then = TopColumn.Source, bool IsReversed = false)
{
    /// <summary>Amounts are sorted largest first, all other columns smallest first.</summary>
    public static bool IsDescending(TopColumn column) =>
        column is TopColumn.TimeLeft or TopColumn.Rate or TopColumn.Bytes or TopColumn.PacketRate or TopColumn.Packets;

    /// <summary>Compares two entries of a snapshot.</summary>
    public IComparer<int> In(TopSnapshot snapshot) => new Comparer(snapshot, this);

    private sealed class Comparer(TopSnapshot snapshot, TopOrder order) : IComparer<int>
    {
        private readonly int _sign = order.IsReversed ? -1 : 1;

        public int Compare(int left, int right)
        {
            ref readonly TopEntry first = ref snapshot.Entries[left];
            ref readonly TopEntry second = ref snapshot.Entries[right];
            int result = By(order.Column, first, second);
            if (result == 0)
                result = By(order.Then, first, second);
            if (result == 0)
                result = ByTuple(first, second);
            return result * _sign;
        }
    }

    private static int By(TopColumn column, in TopEntry left, in TopEntry right) => column switch
    {
        TopColumn.Source => Addresses(left.Original, left.Original.Source, right.Original, right.Original.Source),
        TopColumn.Destination => Addresses(left.Original, left.Original.Destination, right.Original, right.Original.Destination),
        TopColumn.TranslatedSource => Addresses(left.Reply, left.Reply.Destination, right.Reply, right.Reply.Destination),
        TopColumn.TranslatedDestination => Addresses(left.Reply, left.Reply.Source, right.Reply, right.Reply.Source),
        TopColumn.SourcePort => left.Original.SourcePort.CompareTo(right.Original.SourcePort),
        TopColumn.DestinationPort => left.Original.DestinationPort.CompareTo(right.Original.DestinationPort),
        TopColumn.Protocol => left.Original.Protocol.CompareTo(right.Original.Protocol),
        TopColumn.State => StateNumber(left).CompareTo(StateNumber(right)),
        TopColumn.TimeLeft => right.Timeout.CompareTo(left.Timeout),
        TopColumn.Rate => right.MovedBytes.CompareTo(left.MovedBytes),
        TopColumn.Bytes => right.Bytes.CompareTo(left.Bytes),
        TopColumn.PacketRate => right.MovedPackets.CompareTo(left.MovedPackets),
        TopColumn.Packets => right.Packets.CompareTo(left.Packets),
        TopColumn.Mark => left.Mark.CompareTo(right.Mark),
        _ => left.AnyZone.CompareTo(right.AnyZone),
    };

    /// <summary>Equal entries are ordered by tuple, so that they keep their places from one frame to the next.</summary>
    private static int ByTuple(in TopEntry left, in TopEntry right)
    {
        int order = By(TopColumn.Source, left, right);
        if (order == 0)
            order = By(TopColumn.Destination, left, right);
        if (order == 0)
            order = By(TopColumn.Protocol, left, right);
        if (order == 0)
            order = By(TopColumn.SourcePort, left, right);
        if (order == 0)
            order = By(TopColumn.DestinationPort, left, right);
        return order != 0 ? order : By(TopColumn.Zone, left, right);
    }

    private static int Addresses(in ConntrackTuple left, AddressBits leftBits, in ConntrackTuple right, AddressBits rightBits)
    {
        int order = left.Family.CompareTo(right.Family);
        return order != 0 ? order : leftBits.CompareTo(rightBits);
    }

    /// <summary>Entries without a state come last.</summary>
    private static int StateNumber(in TopEntry entry) => entry.Has(EntryFields.State) ? (int)entry.State : byte.MaxValue + 1;
}

/// <summary>The columns of a live view in their order. Entries can be sorted by each.</summary>
public enum TopColumn
{
    /// <summary>The source address.</summary>
    Source,

    /// <summary>The source port, or the ICMP identifier.</summary>
    SourcePort,

    /// <summary>The address and port that replace the source.</summary>
    TranslatedSource,

    /// <summary>The destination address.</summary>
    Destination,

    /// <summary>The destination port, or the ICMP type and code.</summary>
    DestinationPort,

    /// <summary>The address and port that replace the destination.</summary>
    TranslatedDestination,

    /// <summary>The layer 4 protocol.</summary>
    Protocol,

    /// <summary>The state of TCP, SCTP and DCCP connections.</summary>
    State,

    /// <summary>The time until the entry expires, unless a packet renews it.</summary>
    TimeLeft,

    /// <summary>Bits per second in both directions since the previous refresh. Needs accounting.</summary>
    Rate,

    /// <summary>Bytes in both directions. Needs accounting.</summary>
    Bytes,

    /// <summary>Packets per second in both directions. Needs accounting.</summary>
    PacketRate,

    /// <summary>Packets in both directions. Needs accounting.</summary>
    Packets,

    /// <summary>The connection mark.</summary>
    Mark,

    /// <summary>The zone.</summary>
    Zone,
}
