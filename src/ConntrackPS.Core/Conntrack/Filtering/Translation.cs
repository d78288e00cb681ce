namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Whether addresses or ports are translated: the kernel's status bits say so, or the two tuples differ.</summary>
/// <remarks>An entry that a tool restored may lack the bits, and one translated to its own address has no difference.</remarks>
internal static class Translation
{
    public static bool OfSource(ConntrackEntry entry) =>
        (entry.Status & ConntrackStatus.SrcNat) != 0 || SourceDiffers(entry);

    public static bool OfDestination(ConntrackEntry entry) =>
        (entry.Status & ConntrackStatus.DstNat) != 0 || DestinationDiffers(entry);

    public static bool SourceDiffers(ConntrackEntry entry) =>
        entry.Original.Source != entry.Reply.Destination || IdentifierOfSource(entry) != IdentifierOfReply(entry);

    public static bool DestinationDiffers(ConntrackEntry entry) =>
        entry.Original.Destination != entry.Reply.Source
        || (!entry.Original.IsIcmp && entry.Original.DestinationPort != entry.Reply.SourcePort);

    private static ushort IdentifierOfSource(ConntrackEntry entry) => entry.Original.SourcePort;

    // Replies carry the same ICMP id as the request, where ports swap their places.
    private static ushort IdentifierOfReply(ConntrackEntry entry) =>
        entry.Original.IsIcmp ? entry.Reply.SourcePort : entry.Reply.DestinationPort;
}
