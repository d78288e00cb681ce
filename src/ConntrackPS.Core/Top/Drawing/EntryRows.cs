using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The rows of a view of entries, and the names of their columns.</summary>
internal static class EntryRows
{
    public static void Draw(LineBuilder lines, TopSnapshot snapshot, TopView view, int page, INameSource? names)
    {
        TopFrame frame = lines.Frame;
        lines.Scroll(snapshot.Entries.Count, view.Selected, view.Offset, page);
        int[] rows = Window(snapshot, view.Order, frame.Offset, frame.PageSize);
        List<TopPlace> places = TopLayout.Arrange(view, lines.Width, column => rows
            .Select(row => TextWidth.Of(TopCell.TextOf(snapshot.Entries[row], column, snapshot, names)))
            .DefaultIfEmpty()
            .Max());
        frame.Columns = [.. places.Select(place => place.Column)];
        lines.Add([.. Header(lines, view, places)]);
        for (int i = 0; i < rows.Length; i++)
        {
            bool isSelected = frame.Offset + i == frame.Selected;
            if (isSelected)
                frame.SelectedEntry = snapshot.Entries[rows[i]];
            lines.Add(Row(lines, snapshot, rows[i], places, names, isSelected));
        }

        if (rows.Length == 0)
            lines.Add(new TopSpan(view.Filter.IsActive ? "No entry matches the filter." : "The table is empty.", TopStyle.Faint));
    }

    /// <summary>The numbers of the entries that are seen, sorted.</summary>
    private static int[] Window(TopSnapshot snapshot, TopOrder order, int offset, int length)
    {
        int[] all = new int[snapshot.Entries.Count];
        for (int i = 0; i < all.Length; i++)
            all[i] = i;
        PartialSort.Window(all.AsSpan(), offset, length, order.In(snapshot));
        return all[offset..Math.Min(offset + length, all.Length)];
    }

    private static IEnumerable<TopSpan> Header(LineBuilder lines, TopView view, List<TopPlace> places)
    {
        foreach (TopPlace place in places)
        {
            string mark = SortMark.Of(view, place.Column);
            string gap = place == places[0] ? "" : " ";

            // The sign is worth more than a title's last letter.
            string title = place.Title[..Math.Min(place.Title.Length, place.Width - mark.Length)] + mark;
            yield return new TopSpan(gap + lines.Fit(title, place.Width, place.IsRight), TopStyle.Header);
        }
    }

    private static TopSpan[] Row(
        LineBuilder lines, TopSnapshot snapshot, int row, List<TopPlace> places, INameSource? names, bool isSelected)
    {
        ref readonly TopEntry entry = ref snapshot.Entries[row];
        TopSpan[] cells = new TopSpan[places.Count];
        for (int i = 0; i < cells.Length; i++)
        {
            TopPlace place = places[i];
            string text = lines.Fit(TopCell.TextOf(entry, place.Column, snapshot, names), place.Width, place.IsRight);
            cells[i] = new TopSpan(i == 0 ? text : " " + text, isSelected ? TopStyle.Selected : TopCell.StyleOf(entry, place.Column));
        }

        return cells;
    }
}

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
