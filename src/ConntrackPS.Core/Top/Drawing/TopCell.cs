using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Top.Names;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>What an entry has in a column.</summary>
internal static class TopCell
{
    /// <param name="entry">The entry.</param>
    /// <param name="column">The column.</param>
    /// <param name="snapshot">The snapshot it is of.</param>
    /// <param name="names">Names for addresses; null to show addresses.</param>
    public static string TextOf(in TopEntry entry, TopColumn column, TopSnapshot snapshot, INameSource? names) => column switch
    {
        TopColumn.Source => Address(entry.Original.Family, entry.Original.Source, names),
        TopColumn.Destination => Address(entry.Original.Family, entry.Original.Destination, names),
        TopColumn.TranslatedSource => Translated(entry, Translation.OfSource, entry.Reply.Destination, entry.Reply.DestinationPort, names),
        TopColumn.TranslatedDestination => Translated(entry, Translation.OfDestination, entry.Reply.Source, entry.Reply.SourcePort, names),
        TopColumn.SourcePort => entry.Original.HasPorts ? Number(entry.Original.SourcePort) : "",
        TopColumn.DestinationPort => entry.Original.IsIcmp
            ? $"{Number((ulong)entry.Original.DestinationPort >> 8)}/{Number(entry.Original.DestinationPort & 0xffu)}"
            : HasPorts(entry) ? Number(entry.Original.DestinationPort) : "",
        TopColumn.Protocol => ProtocolNames.ToKernel(entry.Original.Protocol),
        TopColumn.State => entry.Has(EntryFields.State) ? entry.State.ToString() : "",
        TopColumn.TimeLeft => entry.Has(EntryFields.Timeout) ? Amount.Time(entry.Timeout) : "",
        TopColumn.Rate => Counted(entry, snapshot.Seconds is not null, snapshot.PerSecond(entry.MovedBytes * 8)),
        TopColumn.PacketRate => Counted(entry, snapshot.Seconds is not null, snapshot.PerSecond(entry.MovedPackets)),
        TopColumn.Bytes => Counted(entry, true, entry.Bytes),
        TopColumn.Packets => Counted(entry, true, entry.Packets),
        TopColumn.Mark => entry.Mark == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"0x{entry.Mark:x}"),
        _ => entry.AnyZone == 0 ? "" : Number(entry.AnyZone),
    };

    /// <summary>What kind of a thing stands in the column, for its colour.</summary>
    public static TopStyle StyleOf(in TopEntry entry, TopColumn column) => column switch
    {
        TopColumn.Protocol => StyleOf(entry.Original.Protocol),
        TopColumn.State when entry.Has(EntryFields.State) => ConntrackStates.PhaseOf(entry.State) switch
        {
            StatePhase.Open => TopStyle.Open,
            StatePhase.Opening => TopStyle.Opening,
            _ => TopStyle.Closing,
        },
        _ => TopStyle.Plain,
    };

    /// <summary>An address, or its name where one is known.</summary>
    public static string Address(IPFamily family, AddressBits address, INameSource? names) =>
        names?.NameOf(new HostAddress(family, address)) is { } name ? TextWidth.Harmless(name) : address.ToString(family);

    private static TopStyle StyleOf(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp => TopStyle.Tcp,
        IPProtocol.Udp => TopStyle.Udp,
        IPProtocol.Icmp or IPProtocol.IcmpV6 => TopStyle.Icmp,
        _ => TopStyle.Other,
    };

    private static string Translated(
        in TopEntry entry, Func<ConntrackEntry, bool> isTranslated, AddressBits address, ushort port, INameSource? names)
    {
        ConntrackEntry whole = new();
        entry.CopyTo(whole);
        if (!isTranslated(whole))
            return "";
        string text = Address(entry.Reply.Family, address, names);
        if (!HasPorts(entry))
            return text;
        return text.Contains(':', StringComparison.Ordinal) ? $"[{text}]:{Number(port)}" : $"{text}:{Number(port)}";
    }

    private static bool HasPorts(in TopEntry entry) => entry.Original is { HasPorts: true, IsIcmp: false };

    private static string Counted(in TopEntry entry, bool isKnown, double amount) =>
        isKnown && entry.Has(EntryFields.OriginalCounters) ? Amount.Short(amount) : "";

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
