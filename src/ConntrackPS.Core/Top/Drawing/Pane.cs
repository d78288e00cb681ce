using ConntrackPS.Top.Control;

namespace ConntrackPS.Top.Drawing;

/// <summary>What covers the rows: the keys, or all that one entry says.</summary>
internal static class Pane
{
    private const string FilterKey = "/";

    private static readonly (string Keys, string Meaning)[] Keys =
    [
        ("q", "quit"),
        ("Esc", "leave this page, a prompt, or the entries of a group"),
        ("up, down, j, k", "select a row; also PgUp, PgDn, Ctrl+U, Ctrl+D, Home, End"),
        ("Enter", "every property of the selected entry; of a group its entries"),
        ("b, B or >, <", "sort by the next or previous column; also the arrows right and left"),
        ("1 to 9", "sort by the column in this place"),
        ("w, W", "among equals sort by the next or previous column"),
        ("r", "reverse the order"),
        ("v", "group: by source, by destination, by port, not at all"),
        (FilterKey, ""),
        ("i", "show what the filter leaves out"),
        ("f", "leave out the loopback"),
        ("L", "leave out queries to name servers"),
        ("x, Del", "delete the selected entry, or all of the selected group (y/n)"),
        ("X", "delete all of the selected entry's source that the filter shows (y/n)"),
        ("p", "freeze, and go on"),
        ("space", "look at the table now"),
        ("+, -, R", "refresh more often, less often, every so many seconds"),
        ("n, l", "names instead of addresses, as they become known"),
        ("T", "translated addresses"),
        ("C", "packets, bytes and rates"),
        ("t", "totals"),
        ("o", "fixed widths"),
        ("c", "colour"),
        ("Ctrl+L", "draw anew"),
        ("h, ?", "this page"),
    ];

    public static void Draw(LineBuilder lines, TopView view, int page)
    {
        List<TopSpan[]> content = view.Pane == TopPane.Help ? Help(view) : Detail(view);
        TopFrame frame = lines.Frame;
        (frame.RowCount, frame.PageSize) = (content.Count, page);
        (frame.Selected, frame.Offset) = (view.Selected, view.Offset);
        foreach (TopSpan[] line in content.Skip(Math.Clamp(view.PaneOffset, 0, Math.Max(0, content.Count - page))).Take(page))
            lines.Add(line);
    }

    private static List<TopSpan[]> Help(TopView view)
    {
        string syntax = view.FilterSyntax is { } known ? $", by {known.Name}" : "";
        int width = Keys.Max(key => key.Keys.Length) + 2;
        return [.. Keys.Select(key => new TopSpan[] { new(key.Keys.PadRight(width), TopStyle.Title), new(key.Keys == FilterKey ? $"filter{syntax}; what is empty shows all" : key.Meaning) })];
    }

    private static List<TopSpan[]> Detail(TopView view)
    {
        if (view.Detail is not { } detail)
            return [[new TopSpan("The entry has ended.", TopStyle.Faint)]];
        int width = detail.Select(pair => pair.Key.Length).DefaultIfEmpty().Max() + 2;
        return [.. detail.Select(pair => new TopSpan[] { new(pair.Key.PadRight(width), TopStyle.Title), new(TextWidth.Harmless(pair.Value)) })];
    }
}
