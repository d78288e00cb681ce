using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Writes entries as the kernel does in /proc/net/nf_conntrack.</summary>
/// <remarks>ct_seq_show of net/netfilter/nf_conntrack_standalone.c, with zones and marks, as distributions configure it. GRE's two
/// timeouts are of the policy, not of the entry: the kernel's defaults stand for them. The kernel counts itself in use=, while it
/// prints.</remarks>
internal static class ProcWriter
{
    private const string GreTimeouts = "timeout=30, stream_timeout=180 ";

    public static void Append(TextBuffer text, ConntrackEntry entry, ulong now)
    {
        // Without ports it is tracked by address alone, as protocols are that the kernel doesn't know.
        TupleParts parts = entry.Original.HasPorts ? ProtocolText.PartsOf(entry.Protocol) : TupleParts.None;
        FlowWriter.AppendFamily(text, entry.AddressFamily);
        FlowWriter.AppendProtocol(text, parts == TupleParts.None ? ProtocolText.Unknown : ProtocolText.NameOf(entry.Protocol), entry.Protocol);
        AppendState(text, entry, parts);
        FlowWriter.AppendTuple(text, entry.Original, parts, isExpanded: true);
        if (entry.Has(EntryFields.OriginalZone))
            text.AppendField("zone-orig", entry.RawOriginalZone);
        FlowWriter.AppendOriginalCounters(text, entry);
        FlowWriter.AppendUnreplied(text, entry.Status);
        FlowWriter.AppendTuple(text, entry.Reply, parts, isExpanded: true);
        if (entry.Has(EntryFields.ReplyZone))
            text.AppendField("zone-reply", entry.RawReplyZone);
        FlowWriter.AppendReplyCounters(text, entry);
        FlowWriter.AppendAssured(text, entry.Status);
        AppendRest(text, entry, now);
    }

    private static void AppendState(TextBuffer text, ConntrackEntry entry, TupleParts parts)
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
            text.Append(StateNames.Of(entry.Protocol, entry.RawState));
            text.Append(' ');
        }
    }

    private static void AppendRest(TextBuffer text, ConntrackEntry entry, ulong now)
    {
        FlowWriter.AppendMark(text, entry);
        if (entry.SecurityMark is { } secmark)
            text.AppendField("secmark", secmark);
        FlowWriter.AppendName(text, "secctx", entry.SecurityContext);
        if (!entry.Has(EntryFields.OriginalZone) && !entry.Has(EntryFields.ReplyZone))
            text.AppendField("zone", entry.Zone);
        if (entry.Has(EntryFields.StartTime))
            text.AppendField("delta-time", FlowWriter.ElapsedSeconds(entry.RawStart, now));
        FlowWriter.AppendUseCount(text, entry);
    }
}
