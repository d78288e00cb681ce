using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>What the forms of text have in common.</summary>
internal static class FlowWriter
{
    /// <summary>An entry in the table is held by the table, if nothing else is known.</summary>
    private const uint LeastUseCount = 1;

    public static string NameOf(IPFamily family) => family == IPFamily.IPv6 ? "ipv6" : "ipv4";

    /// <summary>Appends the family and its number.</summary>
    public static void AppendFamily(TextBuffer text, IPFamily family)
    {
        text.AppendColumn(NameOf(family), 8);
        text.Append(' ');
        text.Append((ulong)family);
        text.Append(' ');
    }

    /// <summary>Appends the protocol and its number.</summary>
    public static void AppendProtocol(TextBuffer text, string name, IPProtocol protocol)
    {
        text.AppendColumn(name, 8);
        text.Append(' ');
        text.Append((ulong)protocol);
        text.Append(' ');
    }

    /// <summary>Appends one direction: <c>src= dst=</c> and these parts.</summary>
    public static void AppendTuple(TextBuffer text, in ConntrackTuple tuple, TupleParts parts, bool isExpanded = false)
    {
        AppendAddress(text, "src=", tuple.Family, tuple.Source, isExpanded);
        AppendAddress(text, "dst=", tuple.Family, tuple.Destination, isExpanded);
        switch (parts)
        {
            case TupleParts.Ports:
                text.AppendField("sport", tuple.SourcePort);
                text.AppendField("dport", tuple.DestinationPort);
                break;
            case TupleParts.Icmp:
                text.AppendField("type", (ulong)tuple.DestinationPort >> 8);
                text.AppendField("code", (byte)tuple.DestinationPort);
                text.AppendField("id", tuple.SourcePort);
                break;
            case TupleParts.Keys:
                AppendKey(text, "srckey=0x", tuple.SourcePort);
                AppendKey(text, "dstkey=0x", tuple.DestinationPort);
                break;
        }
    }

    public static void AppendOriginalCounters(TextBuffer text, ConntrackEntry entry)
    {
        AppendCounters(text, entry.OriginalPackets, entry.OriginalBytes);
    }

    public static void AppendReplyCounters(TextBuffer text, ConntrackEntry entry)
    {
        AppendCounters(text, entry.ReplyPackets, entry.ReplyBytes);
    }

    public static void AppendMark(TextBuffer text, ConntrackEntry entry)
    {
        if (entry.Mark is { } mark)
            text.AppendField("mark", mark);
    }

    /// <summary>Appends the one mark that the kernel and conntrack show of these.</summary>
    public static void AppendAssured(TextBuffer text, ConntrackStatus status)
    {
        if ((status & ConntrackStatus.HwOffload) != 0)
            text.Append("[HW_OFFLOAD] ");
        else if ((status & ConntrackStatus.Offload) != 0)
            text.Append("[OFFLOAD] ");
        else if ((status & ConntrackStatus.Assured) != 0)
            text.Append("[ASSURED] ");
    }

    public static void AppendUnreplied(TextBuffer text, ConntrackStatus status)
    {
        if ((status & ConntrackStatus.SeenReply) == 0)
            text.Append("[UNREPLIED] ");
    }

    /// <summary>Appends a name that comes from elsewhere: blanks in it would make other words of the line, or another line.</summary>
    public static void AppendName(TextBuffer text, string key, string? name)
    {
        if (name is not null)
            text.AppendField(key, string.Concat(name.Select(letter => char.IsWhiteSpace(letter) || char.IsControl(letter) ? '_' : letter)));
    }

    public static void AppendUseCount(TextBuffer text, ConntrackEntry entry) => text.AppendField("use", entry.UseCount ?? LeastUseCount);

    /// <summary>Seconds from one time to another, counted in whole seconds as time(2) gives them.</summary>
    public static ulong WholeSeconds(ulong from, ulong to)
    {
        const ulong Second = 1_000_000_000;
        return to / Second > from / Second ? to / Second - from / Second : 0;
    }

    /// <summary>Seconds from one time to another.</summary>
    public static ulong ElapsedSeconds(ulong from, ulong to) => to > from ? (to - from) / 1_000_000_000 : 0;

    private static void AppendAddress(TextBuffer text, string key, IPFamily family, AddressBits address, bool isExpanded)
    {
        text.Append(key);
        AddressText.Append(text, family, address, isExpanded);
        text.Append(' ');
    }

    private static void AppendKey(TextBuffer text, string key, ushort number)
    {
        text.Append(key);
        text.AppendHex(number);
        text.Append(' ');
    }

    private static void AppendCounters(TextBuffer text, ulong? packets, ulong? bytes)
    {
        if (packets is { } count)
            text.AppendField("packets", count);
        if (bytes is { } length)
            text.AppendField("bytes", length);
    }
}
