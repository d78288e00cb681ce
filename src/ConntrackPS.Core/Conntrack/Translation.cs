namespace ConntrackPS.Conntrack;

/// <summary>Whether addresses or ports are translated: the kernel's status bits say so, or the reply is not what answers to the
/// original direction.</summary>
/// <remarks>An entry that a tool restored may lack the bits, and one translated to its own address has no difference.</remarks>
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

    /// <summary>True where the port, the GRE key or the ICMP id differs: replies carry the same id as the request, where ports swap
    /// their places.</summary>
    public static bool SourcePortDiffers(ConntrackEntry entry) =>
        entry.Original.SourcePort != (entry.Original.IsIcmp ? entry.Reply.SourcePort : entry.Reply.DestinationPort);

    /// <summary>True where the port or the GRE key differs; ICMP's type and code are never translated.</summary>
    public static bool DestinationPortDiffers(ConntrackEntry entry) =>
        !entry.Original.IsIcmp && entry.Original.DestinationPort != entry.Reply.SourcePort;
}
