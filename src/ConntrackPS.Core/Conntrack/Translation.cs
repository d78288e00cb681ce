using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>Decides whether addresses or ports are translated: the kernel's status bits show it, or the reply tuple differs from the
/// inverted original tuple.</summary>
/// <remarks>An entry that a tool restored may lack the bits. An entry that is translated to its own address has no difference.</remarks>
internal static class Translation
{
    public static bool OfSource(ConntrackEntry entry) =>
        (entry.Status & ConntrackStatus.SrcNat) != 0 || SourceDiffers(entry);

    public static bool OfDestination(ConntrackEntry entry) =>
        (entry.Status & ConntrackStatus.DstNat) != 0 || DestinationDiffers(entry);

    public static bool SourceDiffers(ConntrackEntry entry) => SourceAddressDiffers(entry) || SourcePortDiffers(entry);

    public static bool DestinationDiffers(ConntrackEntry entry) => DestinationAddressDiffers(entry) || DestinationPortDiffers(entry);

    public static bool SourceAddressDiffers(ConntrackEntry entry) => Differs(
        entry, TupleGaps.Source, TupleGaps.Destination, entry.Original.Source != entry.Reply.Destination);

    public static bool DestinationAddressDiffers(ConntrackEntry entry) => Differs(
        entry, TupleGaps.Destination, TupleGaps.Source, entry.Original.Destination != entry.Reply.Source);

    /// <summary>True if the port, the GRE key or the ICMP id differs. Ports are swapped in replies, but the ICMP id is the same.</summary>
    public static bool SourcePortDiffers(ConntrackEntry entry) => entry.Original.IsIcmp
        ? Differs(entry, TupleGaps.SourcePort, TupleGaps.SourcePort, entry.Original.SourcePort != entry.Reply.SourcePort)
        : Differs(entry, TupleGaps.SourcePort, TupleGaps.DestinationPort, entry.Original.SourcePort != entry.Reply.DestinationPort);

    /// <summary>True if the port or the GRE key differs. ICMP type and code are never translated.</summary>
    public static bool DestinationPortDiffers(ConntrackEntry entry) => !entry.Original.IsIcmp && Differs(
        entry, TupleGaps.DestinationPort, TupleGaps.SourcePort, entry.Original.DestinationPort != entry.Reply.SourcePort);

    /// <summary>Unknown values can't be compared.</summary>
    private static bool Differs(ConntrackEntry entry, TupleGaps original, TupleGaps reply, bool differs) =>
        differs && (entry.Original.Gaps & original) == 0 && (entry.Reply.Gaps & reply) == 0 && entry.Reply.Family != IPFamily.Unspecified;
}

/// <summary>An entry as one line of text: the connection and its translation.</summary>
internal static class EntryText
{
    public static string Describe(ConntrackEntry entry)
    {
        ConntrackTuple reply = entry.Reply;
        string text = entry.Original.ToString();

        // The ICMP id is not shown after an address.
        bool hasPorts = entry.Original is { HasPorts: true, IsIcmp: false };
        if (Translation.SourceAddressDiffers(entry) || (hasPorts && Translation.SourcePortDiffers(entry)))
            text += " source as " + reply.DestinationEndpoint;
        if (Translation.DestinationAddressDiffers(entry) || (hasPorts && Translation.DestinationPortDiffers(entry)))
            text += " destination as " + reply.SourceEndpoint;
        return entry.Zone == 0 ? text : text + string.Create(CultureInfo.InvariantCulture, $" zone {entry.Zone}");
    }
}
