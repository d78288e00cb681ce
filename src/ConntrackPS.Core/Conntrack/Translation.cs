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

    public static bool SourceAddressDiffers(ConntrackEntry entry) => entry.Original.Source != entry.Reply.Destination;

    public static bool DestinationAddressDiffers(ConntrackEntry entry) => entry.Original.Destination != entry.Reply.Source;

    /// <summary>True if the port, the GRE key or the ICMP id differs. Ports are swapped in replies, but the ICMP id is the same.</summary>
    public static bool SourcePortDiffers(ConntrackEntry entry) =>
        entry.Original.SourcePort != (entry.Original.IsIcmp ? entry.Reply.SourcePort : entry.Reply.DestinationPort);

    /// <summary>True if the port or the GRE key differs. ICMP type and code are never translated.</summary>
    public static bool DestinationPortDiffers(ConntrackEntry entry) =>
        !entry.Original.IsIcmp && entry.Original.DestinationPort != entry.Reply.SourcePort;
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
            text += " source as " + Endpoint(reply, reply.Destination, reply.DestinationPort);
        if (Translation.DestinationAddressDiffers(entry) || (hasPorts && Translation.DestinationPortDiffers(entry)))
            text += " destination as " + Endpoint(reply, reply.Source, reply.SourcePort);
        return entry.Zone == 0 ? text : text + string.Create(CultureInfo.InvariantCulture, $" zone {entry.Zone}");
    }

    private static string Endpoint(in ConntrackTuple tuple, AddressBits address, ushort port)
    {
        string text = address.ToString(tuple.Family);
        if (!tuple.HasPorts || tuple.IsIcmp)
            return text;
        return tuple.Family == IPFamily.IPv6
            ? string.Create(CultureInfo.InvariantCulture, $"[{text}]:{port}")
            : string.Create(CultureInfo.InvariantCulture, $"{text}:{port}");
    }
}
