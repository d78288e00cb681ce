using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The rows and column titles of a view of entries.</summary>
internal static class EntryRows
{
    public static void Draw(LineBuilder lines, TopSnapshot snapshot, TopView view, int page, TopNames names)
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

    /// <summary>The indexes of the visible entries, sorted.</summary>
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

            // If a narrow screen has no room for both, the sort mark is more important than the end of the title.
            string title = place.Title[..Math.Min(place.Title.Length, place.Width - mark.Length)] + mark;
            yield return new TopSpan(gap + lines.Fit(title, place.Width, place.IsRight), TopStyle.Header);
        }
    }

    private static TopSpan[] Row(
        LineBuilder lines, TopSnapshot snapshot, int row, List<TopPlace> places, TopNames names, bool isSelected)
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

/// <summary>The text of an entry in a column.</summary>
internal static class TopCell
{
    /// <param name="entry">The entry.</param>
    /// <param name="column">The column.</param>
    /// <param name="snapshot">The snapshot of the entry.</param>
    /// <param name="names">Names in place of addresses and ports, if shown.</param>
    public static string TextOf(in TopEntry entry, TopColumn column, TopSnapshot snapshot, TopNames names) => column switch
    {
        TopColumn.Source => Address(entry.Original.Family, entry.Original.Source, names),
        TopColumn.Destination => Address(entry.Original.Family, entry.Original.Destination, names),
        TopColumn.TranslatedSource => Translated(entry, Translation.OfSource, entry.Reply.Destination, entry.Reply.DestinationPort, names),
        TopColumn.TranslatedDestination => Translated(entry, Translation.OfDestination, entry.Reply.Source, entry.Reply.SourcePort, names),
        TopColumn.SourcePort => entry.Original.HasPorts ? Port(entry, entry.Original.SourcePort, names) : "",
        TopColumn.DestinationPort => entry.Original.IsIcmp
            ? $"{Number((ulong)entry.Original.DestinationPort >> 8)}/{Number(entry.Original.DestinationPort & 0xffu)}"
            : HasPorts(entry) ? Port(entry, entry.Original.DestinationPort, names) : "",
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

    /// <summary>The style of the column, for its colour.</summary>
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

    /// <summary>An address, or its name if known.</summary>
    public static string Address(IPFamily family, AddressBits address, TopNames names) =>
        names.Hosts?.NameOf(new HostAddress(family, address)) is { } name ? TextWidth.Printable(name) : address.ToString(family);

    private static TopStyle StyleOf(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp => TopStyle.Tcp,
        IPProtocol.Udp => TopStyle.Udp,
        IPProtocol.Icmp or IPProtocol.IcmpV6 => TopStyle.Icmp,
        _ => TopStyle.Other,
    };

    private static string Translated(
        in TopEntry entry, Func<ConntrackEntry, bool> isTranslated, AddressBits address, ushort port, TopNames names)
    {
        ConntrackEntry whole = new();
        entry.CopyTo(whole);
        if (!isTranslated(whole))
            return "";
        string text = Address(entry.Reply.Family, address, names);
        if (!HasPorts(entry))
            return text;
        string number = Port(entry, port, names);
        return text.Contains(':', StringComparison.Ordinal) ? $"[{text}]:{number}" : $"{text}:{number}";
    }

    /// <summary>A port, or the service of the entry's protocol.</summary>
    private static string Port(in TopEntry entry, ushort port, TopNames names) =>
        names.Services?.NameOf(entry.Original.Protocol, port) is { } name ? TextWidth.Printable(name) : Number(port);

    private static bool HasPorts(in TopEntry entry) => entry.Original is { HasPorts: true, IsIcmp: false };

    private static string Counted(in TopEntry entry, bool isKnown, double amount) =>
        isKnown && entry.Has(EntryFields.OriginalCounters) ? Amount.Short(amount) : "";

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The rows of a view of groups: sources, destinations or ports.</summary>
internal static class GroupRows
{
    /// <summary>The sort keys of groups, in the order of the columns.</summary>
    public static readonly GroupOrder[] Orders =
    [
        GroupOrder.Count, GroupOrder.Assured, GroupOrder.Unreplied, GroupOrder.SynSent, GroupOrder.BitsPerSecond, GroupOrder.TotalBytes,
    ];

    private const int LeastName = 15;

    /// <summary>The widths of the columns after the name: those of <see cref="Orders"/>, with the percentage after the first.</summary>
    private static readonly int[] Widths = [9, 6, 8, 10, 8, 6, 6];

    public static void Draw(LineBuilder lines, TopSnapshot snapshot, TopView view, int page, TopNames names)
    {
        TopFrame frame = lines.Frame;
        TopGroups groups = snapshot.GroupsBy(view.Grouping);
        lines.Scroll(groups.Count, view.Selected, view.Offset, page);
        List<ConntrackGroup> rows = groups.Window(view.GroupOrder, view.IsGroupOrderReversed, frame.Offset, frame.PageSize);
        string[] titles = [.. rows.Select(group => NameOf(group, view.Grouping, names))];
        int room = Math.Max(LeastName, lines.Width - Widths.Sum(column => column + 1));
        int width = view.HasFixedWidth ? room : Math.Clamp(titles.Select(TextWidth.Of).DefaultIfEmpty().Max(), Math.Min(room, LeastName), room);
        lines.Add([.. Header(lines, view, width)]);
        for (int i = 0; i < rows.Count; i++)
        {
            bool isSelected = frame.Offset + i == frame.Selected;
            if (isSelected)
                frame.SelectedGroup = rows[i];
            lines.Add(new TopSpan(Row(lines, rows[i], titles[i], width), isSelected ? TopStyle.Selected : TopStyle.Plain));
        }

        if (rows.Count == 0)
            lines.Add(new TopSpan("There is nothing to group.", TopStyle.Faint));
    }

    private static IEnumerable<TopSpan> Header(LineBuilder lines, TopView view, int width)
    {
        string name = view.Grouping switch
        {
            TopGrouping.Source => "Source",
            TopGrouping.Destination => "Destination",
            _ => "Protocol, DPort",
        };
        yield return new TopSpan(lines.Fit(name, width), TopStyle.Header);
        List<string> titles = [.. Orders.Select(order => TitleOf(order) + SortMark.Of(view, order))];
        titles.Insert(1, "%");
        yield return new TopSpan(Cells(lines, titles), TopStyle.Header);
    }

    private static string Row(LineBuilder lines, ConntrackGroup group, string title, int width)
    {
        string[] cells =
        [
            Amount.Count(group.Count),
            group.Percent.ToString("0.00", CultureInfo.InvariantCulture),
            Amount.Count(group.Assured),
            Amount.Count(group.Unreplied),
            Amount.Count(group.SynSent),
            group.BitsPerSecond is { } rate ? Amount.Short(rate) : "",
            group.TotalBytes is { } bytes ? Amount.Short(bytes) : "",
        ];
        return lines.Fit(title, width) + Cells(lines, cells);
    }

    private static string Cells(LineBuilder lines, IEnumerable<string> cells) =>
        string.Concat(cells.Select((cell, i) => " " + lines.Fit(cell, Widths[i], isRight: true)));

    private static string NameOf(ConntrackGroup group, TopGrouping grouping, TopNames names)
    {
        if (grouping == TopGrouping.Port)
            return names.Services is { } services ? TextWidth.Printable(group.NameBy(services)) : group.Name;
        if (names.Hosts is null || group.GetValues()[0].Value is not string text)
            return group.Name;
        HostAddress address = HostAddress.Parse(text);
        return TopCell.Address(address.Family, address.Bits, names);
    }

    private static string TitleOf(GroupOrder order) => order switch
    {
        GroupOrder.BitsPerSecond => "bit/s",
        GroupOrder.TotalBytes => "Bytes",
        _ => order.ToString(),
    };
}
