using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Writing;

/// <summary>Writes entries as <c>conntrack -L</c> does.</summary>
/// <remarks>__snprintf_conntrack_default of libnetfilter_conntrack 1.0.9. mark= is always written, because entries of a kernel with marks
/// always have it.</remarks>
internal static class ListWriter
{
    public static void Append(
        StringBuilder text, ConntrackEntry entry, bool isExtended, ConntrackTextDetails details, LabelNames labels, ulong now)
    {
        ConntrackEvent? happened = entry as ConntrackEvent;
        if (happened is not null)
            EventWriter.AppendHead(text, happened, details);
        if (isExtended)
            FlowWriter.AppendFamily(text, entry.AddressFamily);
        FlowWriter.AppendProtocol(text, ProtocolNames.ToTracked(entry.Protocol), entry.Protocol);
        if (entry.Has(EntryFields.Timeout))
        {
            text.Append(entry.Data.Timeout);
            text.Append(' ');
        }

        if (entry.Has(EntryFields.State))
        {
            text.Append(StateNames.Of(entry.Protocol, entry.Data.State));
            text.Append(' ');
        }

        AppendDirections(text, entry);
        FlowWriter.AppendAssured(text, entry.Status);
        AppendRest(text, entry, details, now);
        if ((details & ConntrackTextDetails.Label) != 0 && entry.Details?.Labels is { IsEmpty: false } bits)
            text.AppendField("labels", string.Join(',', bits.SetBits().Select(labels.ToName)));
        if (happened is not null)
            EventWriter.AppendProgram(text, happened);
    }

    private static void AppendDirections(StringBuilder text, ConntrackEntry entry)
    {
        TupleParts parts = ProtocolText.PartsOf(entry.Protocol);
        FlowWriter.AppendTuple(text, entry.Original, parts);
        if (entry.Has(EntryFields.OriginalZone))
            text.AppendField("zone-orig", entry.Data.OriginalZone);
        FlowWriter.AppendOriginalCounters(text, entry);
        FlowWriter.AppendUnreplied(text, entry.Status);
        FlowWriter.AppendTuple(text, entry.Reply, parts);
        if (entry.Has(EntryFields.ReplyZone))
            text.AppendField("zone-reply", entry.Data.ReplyZone);
        FlowWriter.AppendReplyCounters(text, entry);
    }

    private static void AppendRest(StringBuilder text, ConntrackEntry entry, ConntrackTextDetails details, ulong now)
    {
        FlowWriter.AppendMark(text, entry);
        if (entry.SecurityMark is { } secmark)
            text.AppendField("secmark", secmark);
        FlowWriter.AppendName(text, "secctx", entry.SecurityContext);
        if (entry.Zone != 0)
            text.AppendField("zone", entry.Zone);
        if (entry.Has(EntryFields.StartTime))
            text.AppendField("delta-time", FlowWriter.WholeSeconds(entry.Data.Start, entry.Has(EntryFields.StopTime) ? entry.Data.Stop : now));
        else if (entry.Has(EntryFields.AgeAlone))
            text.AppendField("delta-time", entry.Data.Start / 1_000_000_000);
        if ((details & ConntrackTextDetails.Timestamp) != 0)
            AppendTimes(text, entry);
        FlowWriter.AppendName(text, "helper", entry.Helper);
        if (entry is not ConntrackEvent || entry.Has(EntryFields.UseCount))
            FlowWriter.AppendUseCount(text, entry);
        if ((details & ConntrackTextDetails.Id) != 0 && entry.Has(EntryFields.Id))
            text.AppendField("id", entry.Data.Id);
    }

    private static void AppendTimes(StringBuilder text, ConntrackEntry entry)
    {
        if (entry.Has(EntryFields.StartTime))
        {
            text.Append("[start=");
            ClockText.Append(text, entry.Data.Start);
            text.Append("] ");
        }

        if (entry.Has(EntryFields.StopTime))
        {
            text.Append("[stop=");
            ClockText.Append(text, entry.Data.Stop);
            text.Append("] ");
        }
    }
}

/// <summary>Writes entries as the kernel does in /proc/net/nf_conntrack.</summary>
/// <remarks>ct_seq_show of net/netfilter/nf_conntrack_standalone.c, with zones and marks, as distributions configure it. The two timeouts
/// of GRE belong to the policy, not to the entry, so the kernel's defaults are written. The kernel includes its own reference in use= while
/// it prints.</remarks>
internal static class ProcWriter
{
    private const string GreTimeouts = "timeout=30, stream_timeout=180 ";

    public static void Append(StringBuilder text, ConntrackEntry entry, ulong now)
    {
        // Without ports it is tracked only by addresses, as protocols unknown to the kernel are.
        TupleParts parts = entry.Original.HasPorts ? ProtocolText.PartsOf(entry.Protocol) : TupleParts.None;
        FlowWriter.AppendFamily(text, entry.AddressFamily);
        FlowWriter.AppendProtocol(text, parts == TupleParts.None ? ProtocolNames.Untracked : ProtocolNames.ToTracked(entry.Protocol), entry.Protocol);
        AppendState(text, entry, parts);
        FlowWriter.AppendTuple(text, entry.Original, parts, isExpanded: true);
        if (entry.Has(EntryFields.OriginalZone))
            text.AppendField("zone-orig", entry.Data.OriginalZone);
        FlowWriter.AppendOriginalCounters(text, entry);
        FlowWriter.AppendUnreplied(text, entry.Status);
        FlowWriter.AppendTuple(text, entry.Reply, parts, isExpanded: true);
        if (entry.Has(EntryFields.ReplyZone))
            text.AppendField("zone-reply", entry.Data.ReplyZone);
        FlowWriter.AppendReplyCounters(text, entry);
        FlowWriter.AppendAssured(text, entry.Status);
        AppendRest(text, entry, now);
    }

    private static void AppendState(StringBuilder text, ConntrackEntry entry, TupleParts parts)
    {
        bool isOffloaded = (entry.Status & ConntrackStatus.Offload) != 0;
        if (!isOffloaded)
        {
            text.Append(entry.TimeoutSeconds ?? 0);
            text.Append(' ');
        }

        if (parts == TupleParts.Keys)
        {
            text.Append(GreTimeouts);
        }
        else if (parts == TupleParts.Ports && ProtocolText.HasState(entry.Protocol) && !(isOffloaded && entry.Protocol == IPProtocol.Tcp))
        {
            text.Append(StateNames.Of(entry.Protocol, entry.Data.State));
            text.Append(' ');
        }
    }

    private static void AppendRest(StringBuilder text, ConntrackEntry entry, ulong now)
    {
        FlowWriter.AppendMark(text, entry);
        if (entry.SecurityMark is { } secmark)
            text.AppendField("secmark", secmark);
        FlowWriter.AppendName(text, "secctx", entry.SecurityContext);
        if (!entry.Has(EntryFields.OriginalZone) && !entry.Has(EntryFields.ReplyZone))
            text.AppendField("zone", entry.Zone);
        if (entry.Has(EntryFields.StartTime))
            text.AppendField("delta-time", FlowWriter.ElapsedSeconds(entry.Data.Start, now));
        else if (entry.Has(EntryFields.AgeAlone))
            text.AppendField("delta-time", entry.Data.Start / 1_000_000_000);
        FlowWriter.AppendUseCount(text, entry);
    }
}

/// <summary>Methods that all forms of text use.</summary>
internal static class FlowWriter
{
    /// <summary>The use count of an entry in the table, if it is unknown: the table holds one reference.</summary>
    private const uint LeastUseCount = 1;

    public static string NameOf(IPFamily family) => family == IPFamily.IPv6 ? "ipv6" : "ipv4";

    /// <summary>Appends <c>key=number</c> and a space.</summary>
    public static void AppendField(this StringBuilder text, string key, ulong number) => text.Append(key).Append('=').Append(number).Append(' ');

    /// <summary>Appends <c>key=text</c> and a space.</summary>
    public static void AppendField(this StringBuilder text, string key, string value) => text.Append(key).Append('=').Append(value).Append(' ');

    /// <summary>Appends a word, padded with spaces to a column's width.</summary>
    public static void AppendColumn(this StringBuilder text, string word, int width) =>
        text.Append(word).Append(' ', Math.Max(0, width - word.Length));

    /// <summary>Returns the text without the space at its end.</summary>
    public static string ToLine(this StringBuilder text) => text.ToString(0, text.Length > 0 && text[^1] == ' ' ? text.Length - 1 : text.Length);

    /// <summary>Appends the family and its number.</summary>
    public static void AppendFamily(StringBuilder text, IPFamily family)
    {
        text.AppendColumn(NameOf(family), 8);
        text.Append(' ');
        text.Append((ulong)family);
        text.Append(' ');
    }

    /// <summary>Appends the protocol and its number.</summary>
    public static void AppendProtocol(StringBuilder text, string name, IPProtocol protocol)
    {
        text.AppendColumn(name, 8);
        text.Append(' ');
        text.Append((ulong)protocol);
        text.Append(' ');
    }

    /// <summary>Appends one direction: <c>src= dst=</c> and the given parts.</summary>
    public static void AppendTuple(StringBuilder text, in ConntrackTuple tuple, TupleParts parts, bool isExpanded = false)
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

    public static void AppendOriginalCounters(StringBuilder text, ConntrackEntry entry)
    {
        AppendCounters(text, entry.OriginalPackets, entry.OriginalBytes);
    }

    public static void AppendReplyCounters(StringBuilder text, ConntrackEntry entry)
    {
        AppendCounters(text, entry.ReplyPackets, entry.ReplyBytes);
    }

    public static void AppendMark(StringBuilder text, ConntrackEntry entry)
    {
        if (ShownMark(entry) is { } mark)
            text.AppendField("mark", mark);
    }

    /// <summary>The mark that is shown. The kernel leaves a mark of 0 out of events, unless it was set: a program that creates or changes
    /// an entry always sets it (ctnetlink_conntrack_event, IPCT_MARK).</summary>
    public static uint? ShownMark(ConntrackEntry entry) => entry is ConntrackEvent happened && entry.Mark == 0
        && !(entry.Has(EntryFields.ToldMark) || happened is { EventType: ConntrackEventType.New or ConntrackEventType.Update, PortId: not null })
            ? null
            : entry.Mark;

    /// <summary>Appends the one status word that the kernel and conntrack print of several.</summary>
    public static void AppendAssured(StringBuilder text, ConntrackStatus status)
    {
        if ((status & ConntrackStatus.HwOffload) != 0)
            text.Append("[HW_OFFLOAD] ");
        else if ((status & ConntrackStatus.Offload) != 0)
            text.Append("[OFFLOAD] ");
        else if ((status & ConntrackStatus.Assured) != 0)
            text.Append("[ASSURED] ");
    }

    public static void AppendUnreplied(StringBuilder text, ConntrackStatus status)
    {
        if ((status & ConntrackStatus.SeenReply) == 0)
            text.Append("[UNREPLIED] ");
    }

    /// <summary>Appends a name from another source. Its blanks are replaced, because they would start another word or line.</summary>
    public static void AppendName(StringBuilder text, string key, string? name)
    {
        if (name is not null)
            text.AppendField(key, string.Concat(name.Select(letter => char.IsWhiteSpace(letter) || char.IsControl(letter) ? '_' : letter)));
    }

    public static void AppendUseCount(StringBuilder text, ConntrackEntry entry) => text.AppendField("use", entry.UseCount ?? LeastUseCount);

    /// <summary>The seconds between two times, both cut to seconds, as time(2) returns them.</summary>
    public static ulong WholeSeconds(ulong from, ulong to)
    {
        const ulong Second = 1_000_000_000;
        return to / Second > from / Second ? to / Second - from / Second : 0;
    }

    /// <summary>The seconds between two times.</summary>
    public static ulong ElapsedSeconds(ulong from, ulong to) => to > from ? (to - from) / 1_000_000_000 : 0;

    private static void AppendAddress(StringBuilder text, string key, IPFamily family, AddressBits address, bool isExpanded)
    {
        text.Append(key);
        AddressText.Append(text, family, address, isExpanded);
        text.Append(' ');
    }

    private static void AppendKey(StringBuilder text, string key, ushort number)
    {
        text.Append(key);
        text.AppendHex(number);
        text.Append(' ');
    }

    private static void AppendCounters(StringBuilder text, ulong? packets, ulong? bytes)
    {
        if (packets is { } count)
            text.AppendField("packets", count);
        if (bytes is { } length)
            text.AppendField("bytes", length);
    }
}
