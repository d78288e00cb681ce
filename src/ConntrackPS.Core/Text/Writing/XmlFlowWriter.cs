using System.Security;
using System.Text;
using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Writing;

/// <summary>Writes entries as flow elements, as <c>conntrack -o xml</c> does.</summary>
/// <remarks>__snprintf_conntrack_xml of libnetfilter_conntrack 1.0.9: of ICMP it prints only the addresses, and it gives states of SCTP the
/// names that TCP has for the same numbers. Unlike conntrack, this class escapes text.</remarks>
internal static class XmlFlowWriter
{
    public static void Append(StringBuilder text, ConntrackEntry entry, ConntrackTextDetails details, LabelNames labels, ulong now)
    {
        EventText.AppendFlow(text, (entry as ConntrackEvent)?.EventType);
        AppendDirection(text, "original", entry.Original, entry.OriginalZone, entry.OriginalPackets, entry.OriginalBytes);
        AppendDirection(text, "reply", entry.Reply, entry.ReplyZone, entry.ReplyPackets, entry.ReplyBytes);
        text.Append("<meta direction=\"independent\">");
        if (entry.Has(EntryFields.State))
            AppendElement(text, "state", NameOfState(entry.Protocol, entry.Data.State));
        AppendElement(text, "timeout", entry.TimeoutSeconds);
        AppendElement(text, "mark", FlowWriter.ShownMark(entry));
        if ((details & ConntrackTextDetails.Label) != 0 && entry.Details?.Labels is { IsEmpty: false } bits)
            AppendLabels(text, bits.SetBits().Select(labels.ToName));
        AppendElement(text, "secmark", entry.SecurityMark);
        AppendElement(text, "secctx", entry.SecurityContext);
        AppendElement(text, "zone", entry.Zone != 0 ? entry.Zone : null);
        AppendElement(text, "use", entry.UseCount);
        AppendElement(text, "id", entry.Id);
        if ((entry.Status & ConntrackStatus.Assured) != 0)
            text.Append("<assured/>");
        if ((entry.Status & ConntrackStatus.SeenReply) == 0)
            text.Append("<unreplied/>");
        AppendTimes(text, entry, details, now);
        text.Append("</meta>");
        AppendElement(text, "helper", entry.Helper);
        EventWriter.AppendWhen(text, entry, details);
        text.Append("</flow>");
        if (entry is not ConntrackEvent happened)
            return;
        text.Append(' ');
        EventWriter.AppendProgram(text, happened);
    }

    private static void AppendDirection(
        StringBuilder text, string direction, in ConntrackTuple tuple, ushort? zone, ulong? packets, ulong? bytes)
    {
        text.Append("<meta direction=\"").Append(direction).Append("\"><layer3 protonum=\"");
        text.Append((ulong)tuple.Family);
        text.Append("\" protoname=\"").Append(FlowWriter.NameOf(tuple.Family)).Append("\"><src>");
        AddressText.Append(text, tuple.Family, tuple.Source);
        text.Append("</src><dst>");
        AddressText.Append(text, tuple.Family, tuple.Destination);
        text.Append("</dst></layer3><layer4 protonum=\"");
        text.Append((ulong)tuple.Protocol);
        text.Append("\" protoname=\"").Append(ProtocolNames.ToTracked(tuple.Protocol)).Append("\">");
        AppendPorts(text, tuple);
        text.Append("</layer4>");
        AppendElement(text, "zone", zone);
        if (packets is not null || bytes is not null)
        {
            text.Append("<counters>");
            AppendElement(text, "packets", packets);
            AppendElement(text, "bytes", bytes);
            text.Append("</counters>");
        }

        text.Append("</meta>");
    }

    private static void AppendPorts(StringBuilder text, in ConntrackTuple tuple)
    {
        switch (ProtocolText.PartsOf(tuple.Protocol))
        {
            case TupleParts.Ports:
                AppendElement(text, "sport", tuple.SourcePort);
                AppendElement(text, "dport", tuple.DestinationPort);
                break;
            case TupleParts.Keys:
                text.Append("<srckey>0x");
                text.AppendHex(tuple.SourcePort);
                text.Append("</srckey><dstkey>0x");
                text.AppendHex(tuple.DestinationPort);
                text.Append("</dstkey>");
                break;
        }
    }

    private static void AppendTimes(StringBuilder text, ConntrackEntry entry, ConntrackTextDetails details, ulong now)
    {
        bool hasStart = entry.Has(EntryFields.StartTime), hasStop = entry.Has(EntryFields.StopTime);
        if ((details & ConntrackTextDetails.Timestamp) != 0 && (hasStart || hasStop))
        {
            text.Append("<timestamp>");
            AppendElement(text, "start", hasStart ? entry.Data.Start : null);
            AppendElement(text, "stop", hasStop ? entry.Data.Stop : null);
            text.Append("</timestamp>");
        }

        if (hasStart)
        {
            AppendElement(text, "deltatime", hasStop
                ? FlowWriter.ElapsedSeconds(entry.Data.Start, entry.Data.Stop)
                : FlowWriter.WholeSeconds(entry.Data.Start, now));
        }
        else if (entry.Has(EntryFields.AgeAlone))
        {
            AppendElement(text, "deltatime", entry.Data.Start / 1_000_000_000);
        }
    }

    private static void AppendLabels(StringBuilder text, IEnumerable<string> names)
    {
        text.Append("<labels>");
        foreach (string name in names)
            AppendElement(text, "label", name);
        text.Append("</labels>");
    }

    private static string NameOfState(IPProtocol protocol, ConntrackState state) => protocol == IPProtocol.Sctp
        ? StateNames.Of(IPProtocol.Tcp, ConntrackStates.FromKernel(IPProtocol.Tcp, ConntrackStates.ToKernel(protocol, state) ?? 0))
        : StateNames.Of(protocol, state);

    private static void AppendElement(StringBuilder text, string name, ulong? number)
    {
        if (number is null)
            return;
        text.Append('<').Append(name).Append('>').Append(number.Value).Append("</").Append(name).Append('>');
    }

    private static void AppendElement(StringBuilder text, string name, string? value)
    {
        if (value is null)
            return;
        string valid = string.Concat(value.Select(letter => XmlConvert.IsXmlChar(letter) ? letter : '?'));
        text.Append('<').Append(name).Append('>').Append(SecurityElement.Escape(valid)).Append("</").Append(name).Append('>');
    }
}
