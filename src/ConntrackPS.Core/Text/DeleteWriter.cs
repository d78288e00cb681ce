using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Writes commands for <c>conntrack -R</c> that delete an entry and no other.</summary>
/// <remarks>conntrack -D filters by all that it is told, so that a line has the tuple and the zone and nothing that may have
/// changed meanwhile. It does not look at GRE keys: a line for one tunnel would delete all between two hosts.</remarks>
internal static class DeleteWriter
{
    /// <exception cref="NotSupportedException">conntrack can't tell the entry from others.</exception>
    public static void Append(TextBuffer text, ConntrackEntry entry)
    {
        TupleParts parts = ProtocolText.PartsOf(entry.Protocol);
        if (parts == TupleParts.Keys)
            throw new NotSupportedException("conntrack -D does not look at GRE keys, and would delete other tunnels of the two hosts.");
        text.Append("-D ");
        SaveWriter.Append(text, "-w ", entry.Zone);
        if (entry.OriginalZone is { } originalZone)
            SaveWriter.Append(text, "--orig-zone ", originalZone);
        if (entry.ReplyZone is { } replyZone)
            SaveWriter.Append(text, "--reply-zone ", replyZone);
        SaveWriter.AppendAddress(text, "-s ", entry.AddressFamily, entry.Original.Source);
        SaveWriter.AppendAddress(text, "-d ", entry.AddressFamily, entry.Original.Destination);
        SaveWriter.AppendProtocolName(text, entry.Protocol);
        if (parts == TupleParts.Icmp)
        {
            SaveWriter.AppendIcmp(text, entry.Original);
        }
        else if (parts == TupleParts.Ports)
        {
            SaveWriter.Append(text, "--sport ", entry.Original.SourcePort);
            SaveWriter.Append(text, "--dport ", entry.Original.DestinationPort);
        }
    }
}
