using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text;

/// <summary>An entry read from text, and what the line said beside it.</summary>
public sealed class ConntrackTextRecord : ConntrackTextItem
{
    internal ConntrackTextRecord(ConntrackEntry entry) => Entry = entry;

    /// <summary>The entry. Its status holds what the text tells or implies, not all that the kernel knew.</summary>
    public ConntrackEntry Entry { get; }

    /// <summary>The kind of event, of lines of <c>conntrack -E</c>; null for a table's.</summary>
    public ConntrackEventType? EventType { get; internal set; }

    /// <summary>When the event came, local time, where <c>-o timestamp</c> was given.</summary>
    public DateTime? EventTime { get; internal set; }

    /// <summary>The netlink port of the program that made the change: <c>[USERSPACE] portid=</c>.</summary>
    public uint? PortId { get; internal set; }

    /// <summary>What an entry can't hold, such as a label that connlabel.conf doesn't name; null for nothing.</summary>
    public string? Omitted { get; internal set; }
}
