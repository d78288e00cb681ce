using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>Draws a live view: a function of a snapshot, of the session's history, of the view's state, and of the screen's size.</summary>
/// <remarks>Formats only the visible rows, whatever the size of the table.</remarks>
internal static class TopScreen
{
    /// <summary>Smaller screens show a message instead.</summary>
    public const int LeastWidth = 40, LeastHeight = 8;

    /// <summary>Draws a frame.</summary>
    /// <param name="snapshot">The table.</param>
    /// <param name="view">The state of the view.</param>
    /// <param name="width">The screen's columns.</param>
    /// <param name="height">The screen's lines. All of them are used.</param>
    /// <param name="hosts">Host names, for a view that shows them.</param>
    /// <param name="services">Service names, for a view that shows them.</param>
    /// <param name="history">The snapshots of the session, with this one as the last. Null for none.</param>
    public static TopFrame Draw(
        TopSnapshot snapshot, TopView view, int width, int height, INameSource? hosts = null, ServiceNames? services = null, TopHistory? history = null)
    {
        TopFrame frame = new() { Filter = snapshot.Filter, Entries = snapshot.Entries };
        TopNames names = new(view.ShowsNames ? hosts : null, view.ShowsServices ? services : null);
        LineBuilder lines = new(frame, width, view.HasUnicode);
        if (width < LeastWidth || height < LeastHeight)
        {
            lines.Add(new TopSpan($"needs {LeastWidth} x {LeastHeight}", TopStyle.Warning));
            lines.Fill(height);
            return frame;
        }

        Banner.Draw(lines, snapshot, view, history);
        int rows = height - frame.Lines.Count - 1;
        if (view.Pane == TopPane.Plot)
            PlotPage.Draw(lines, view, history ?? new TopHistory(), rows);
        else if (view.Pane != TopPane.None)
            Pane.Draw(lines, view, rows);
        else if (view.Grouping != TopGrouping.None)
            GroupRows.Draw(lines, snapshot, view, rows - 1, names);
        else
            EntryRows.Draw(lines, snapshot, view, rows - 1, names);
        lines.Fill(height - 1);
        lines.Add(StatusLine.Of(snapshot, view, width));
        return frame;
    }
}

/// <summary>The lines above the rows: title, sums and filter.</summary>
internal static class Banner
{
    public static void Draw(LineBuilder lines, TopSnapshot snapshot, TopView view, TopHistory? history)
    {
        DrawTitle(lines, snapshot, view, history);
        if (view.ShowsTotals)
            lines.Add(new TopSpan(Totals(snapshot)));
        if (view.Filter.IsActive)
            lines.Add(new TopSpan("Filter: ", TopStyle.Title), new TopSpan(TextWidth.Printable(view.Filter.Combined.ToString())));
    }

    private static void DrawTitle(LineBuilder lines, TopSnapshot snapshot, TopView view, TopHistory? history)
    {
        string where = view.Namespace is null ? "" : $" in {TextWidth.Printable(view.Namespace)}";
        string when = snapshot.Time.ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        string left = $"Conntrack{where}  {when}{Pace(view)}";
        string right = Fill(snapshot);
        int gap = lines.Width - TextWidth.Of(left) - right.Length;
        if (gap < 1)
        {
            lines.Add(new TopSpan(left, TopStyle.Title));
            return;
        }

        string sparks = view.IsStill || history is null ? "" : Sparks(history, view, gap);
        lines.Add(
            new TopSpan(left + new string(' ', gap - sparks.Length), TopStyle.Title),
            new TopSpan(sparks, TopStyle.Tcp),
            new TopSpan(right, TopStyle.Title));
    }

    /// <summary>The last refreshes in the room of the title: the new entries per second, if there is room for both, and the fill.</summary>
    private static string Sparks(TopHistory history, TopView view, int room)
    {
        const string Label = "new/s ", Gap = "  ";
        const int Least = 8, Most = 20;
        if (history.Count < 2 || room < Least + 2 * Gap.Length)
            return "";
        int both = (room - Label.Length - 3 * Gap.Length) / 2;
        return both < Least
            ? Sparkline.Draw(history.Entries, Math.Min(Most, room - 2 * Gap.Length), view.HasUnicode) + Gap
            : Label + Sparkline.Draw(history.NewPerSecond, Math.Min(Most, both), view.HasUnicode) + Gap + Sparkline.Draw(history.Entries, Math.Min(Most, both), view.HasUnicode) + Gap;
    }

    private static string Pace(TopView view)
    {
        if (view.IsStill)
            return "";
        return view.IsFrozen ? "  paused" : string.Create(CultureInfo.InvariantCulture, $"  every {view.Interval.TotalSeconds:0.##} s");
    }

    private static string Fill(TopSnapshot snapshot)
    {
        if (snapshot.TableMaximum == 0)
            return $"{Amount.Count(snapshot.TableCount)} entries";
        double percent = 100.0 * snapshot.TableCount / snapshot.TableMaximum;
        return string.Create(
            CultureInfo.InvariantCulture, $"{Amount.Count(snapshot.TableCount)} of {Amount.Count(snapshot.TableMaximum)} entries ({percent:0.0} %)");
    }

    private static string Totals(TopSnapshot snapshot)
    {
        TopTotals totals = snapshot.Totals;
        int icmp = totals[IPProtocol.Icmp] + totals[IPProtocol.IcmpV6];
        int other = snapshot.Entries.Count - totals[IPProtocol.Tcp] - totals[IPProtocol.Udp] - icmp;
        string rates = totals.HasCounters && snapshot.Seconds is not null
            ? $"  {Amount.Of(snapshot.PerSecond(totals.MovedBytes * 8), "bit/s")}  {Amount.Of(snapshot.PerSecond(totals.MovedPackets), "pkt/s")}"
            : "";

        // The most important values come first, because a narrow screen truncates the line.
        return $"Shown {Amount.Count(snapshot.Entries.Count)}{rates}  unreplied {Amount.Count(totals.Unreplied)}  assured {Amount.Count(totals.Assured)}"
            + $"  TCP {Amount.Count(totals[IPProtocol.Tcp])}  UDP {Amount.Count(totals[IPProtocol.Udp])}  ICMP {Amount.Count(icmp)}"
            + (other > 0 ? $"  other {Amount.Count(other)}" : "");
    }
}

/// <summary>The last line: a prompt, the last result, or the most important keys.</summary>
internal static class StatusLine
{
    private const string Hints = "q quit  h help  / filter  > sort  v group  g plot  x delete  p pause  Enter more";

    public static TopSpan Of(TopSnapshot snapshot, TopView view, int width) => view.Prompt switch
    {
        TextPrompt prompt => new TopSpan(KeepEnd(prompt.Label(view) + prompt.Text + "_", width), TopStyle.Prompt),
        DeleteEntryPrompt prompt => new TopSpan($"Delete {prompt.Key.Original}{ZoneOf(prompt)}? (y/n)", TopStyle.Prompt),
        DeleteManyPrompt prompt => new TopSpan($"Delete {prompt.What}? (y/n)", TopStyle.Prompt),
        _ when view.Message.Length > 0 => new TopSpan(TextWidth.Printable(view.Message), TopStyle.Warning),
        _ when snapshot.IsInterrupted => new TopSpan("The table changed while it was read; entries may be missing.", TopStyle.Warning),
        _ when view.IsStill => new TopSpan(""),
        _ => new TopSpan(Hints, TopStyle.Faint),
    };

    private static string ZoneOf(DeleteEntryPrompt prompt) =>
        (prompt.Key.OriginalZone ?? prompt.Key.Zone) is > 0 and var zone ? $" zone {zone}" : "";

    /// <summary>Truncates a long line at its start, so that the user sees what is being typed.</summary>
    private static string KeepEnd(string text, int width)
    {
        while (TextWidth.Of(text) > width)
            text = text[1..];
        return text;
    }
}

/// <summary>The pane over the rows: the keys, or all properties of one entry.</summary>
internal static class Pane
{
    private const string FilterKey = "/";

    private static readonly (string Keys, string Meaning)[] Keys =
    [
        ("q", "quit"),
        ("h, ?", "this page"),
        ("Esc", "close this page, a prompt, or the entries of a group"),
        ("up, down, j, k", "select a row; also PgUp, PgDn, Ctrl+U, Ctrl+D, Home, End"),
        ("Enter", "all properties of the selected entry; the entries of a group"),
        (">, <, b, B", "sort by the next or previous column; also right and left"),
        ("1 to 9", "sort by the column with this number"),
        ("w, W", "second sort key: the next or previous column"),
        ("r", "reverse the order"),
        ("v", "group by source, by destination, by port, or not at all"),
        (FilterKey, ""),
        ("i", "show the entries that the filter excludes"),
        ("f, L", "hide loopback connections; hide queries to name servers"),
        ("x, Del", "delete the selected entry, or all of the selected group (y/n)"),
        ("X", "delete all shown entries of the selected entry's source (y/n)"),
        ("g", "plots of the session: entries, new entries, drops, top sources"),
        ("p, space", "pause/resume; refresh now"),
        ("+, -, R", "refresh more often, less often, every N seconds"),
        ("n, l, N", "names of hosts and services; N: of services only"),
        ("T, C, t", "translated addresses; packets, bytes and rates; totals"),
        ("o, c, Ctrl+L", "fixed widths; colour; redraw the screen"),
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
        return [.. Keys.Select(key => new TopSpan[] { new(key.Keys.PadRight(width), TopStyle.Title), new(key.Keys == FilterKey ? $"filter{syntax}; empty shows all" : key.Meaning) })];
    }

    private static List<TopSpan[]> Detail(TopView view)
    {
        if (view.Detail is not { } detail)
            return [[new TopSpan("The entry has ended.", TopStyle.Faint)]];
        int width = detail.Select(pair => pair.Key.Length).DefaultIfEmpty().Max() + 2;
        return [.. detail.Select(pair => new TopSpan[] { new(pair.Key.PadRight(width), TopStyle.Title), new(TextWidth.Printable(pair.Value)) })];
    }
}
