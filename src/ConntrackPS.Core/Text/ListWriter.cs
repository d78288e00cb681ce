using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Writes entries as <c>conntrack -L</c> does.</summary>
/// <remarks>__snprintf_conntrack_default of libnetfilter_conntrack 1.0.9. mark= is written always, since a table has it always
/// where the kernel has marks.</remarks>
internal static class ListWriter
{
    public static void Append(
        TextBuffer text, ConntrackEntry entry, bool isExtended, ConntrackTextDetails details, LabelNames labels, ulong now)
    {
        if (isExtended)
            FlowWriter.AppendFamily(text, entry.AddressFamily);
        FlowWriter.AppendProtocol(text, ProtocolText.NameOf(entry.Protocol), entry.Protocol);
        if (entry.Has(EntryFields.Timeout))
        {
            text.Append(entry.RawTimeout);
            text.Append(' ');
        }

        if (entry.Has(EntryFields.State))
        {
            text.Append(StateNames.Of(entry.Protocol, entry.RawState));
            text.Append(' ');
        }

        AppendDirections(text, entry);
        FlowWriter.AppendAssured(text, entry.Status);
        AppendRest(text, entry, details, now);
        if ((details & ConntrackTextDetails.Label) != 0 && entry.Details?.Labels is { IsEmpty: false } bits)
            text.AppendField("labels", string.Join(',', bits.SetBits().Select(labels.ToName)));
    }

    private static void AppendDirections(TextBuffer text, ConntrackEntry entry)
    {
        TupleParts parts = ProtocolText.PartsOf(entry.Protocol);
        FlowWriter.AppendTuple(text, entry.Original, parts);
        if (entry.Has(EntryFields.OriginalZone))
            text.AppendField("zone-orig", entry.RawOriginalZone);
        FlowWriter.AppendOriginalCounters(text, entry);
        FlowWriter.AppendUnreplied(text, entry.Status);
        FlowWriter.AppendTuple(text, entry.Reply, parts);
        if (entry.Has(EntryFields.ReplyZone))
            text.AppendField("zone-reply", entry.RawReplyZone);
        FlowWriter.AppendReplyCounters(text, entry);
    }

    private static void AppendRest(TextBuffer text, ConntrackEntry entry, ConntrackTextDetails details, ulong now)
    {
        FlowWriter.AppendMark(text, entry);
        if (entry.SecurityMark is { } secmark)
            text.AppendField("secmark", secmark);
        FlowWriter.AppendName(text, "secctx", entry.SecurityContext);
        if (entry.Zone != 0)
            text.AppendField("zone", entry.Zone);
        if (entry.Has(EntryFields.StartTime))
            text.AppendField("delta-time", FlowWriter.WholeSeconds(entry.RawStart, entry.Has(EntryFields.StopTime) ? entry.RawStop : now));
        if ((details & ConntrackTextDetails.Timestamp) != 0)
            AppendTimes(text, entry);
        FlowWriter.AppendName(text, "helper", entry.Helper);
        FlowWriter.AppendUseCount(text, entry);
        if ((details & ConntrackTextDetails.Id) != 0 && entry.Has(EntryFields.Id))
            text.AppendField("id", entry.RawId);
    }

    private static void AppendTimes(TextBuffer text, ConntrackEntry entry)
    {
        if (entry.Has(EntryFields.StartTime))
        {
            text.Append("[start=");
            ClockText.Append(text, entry.RawStart);
            text.Append("] ");
        }

        if (entry.Has(EntryFields.StopTime))
        {
            text.Append("[stop=");
            ClockText.Append(text, entry.RawStop);
            text.Append("] ");
        }
    }
}
