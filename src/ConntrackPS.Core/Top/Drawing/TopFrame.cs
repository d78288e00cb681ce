using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>A part of a line with one style.</summary>
internal readonly record struct TopSpan(string Text, TopStyle Style = TopStyle.Plain);

/// <summary>One picture of a live view, with the data needed to handle the next key.</summary>
internal sealed class TopFrame
{
    /// <summary>The lines from the top. Each is exactly as wide as the screen.</summary>
    public List<TopSpan[]> Lines { get; } = [];

    /// <summary>The filter of the entries shown.</summary>
    public ConntrackFilter Filter { get; set; } = new();

    /// <summary>The entries that match it.</summary>
    public BlockList<TopEntry>? Entries { get; set; }

    /// <summary>The total number of rows.</summary>
    public int RowCount { get; set; }

    /// <summary>The number of rows that fit on the screen.</summary>
    public int PageSize { get; set; }

    /// <summary>The selected row and the first visible row, adjusted to the existing rows.</summary>
    public int Selected { get; set; }

    public int Offset { get; set; }

    /// <summary>The entry in the selected row, in a view of entries.</summary>
    public TopEntry? SelectedEntry { get; set; }

    /// <summary>The group in the selected row, in a view of groups.</summary>
    public ConntrackGroup? SelectedGroup { get; set; }

    /// <summary>The visible columns, from the left.</summary>
    public IReadOnlyList<TopColumn> Columns { get; set; } = [];

    /// <summary>The picture as plain text, without trailing blanks.</summary>
    public IEnumerable<string> ToText() => Lines.Select(line => string.Concat(line.Select(span => span.Text)).TrimEnd());
}

/// <summary>The kind of a span. The renderer chooses its look.</summary>
internal enum TopStyle
{
    Plain,
    Title,
    Header,
    Selected,
    Faint,
    Prompt,
    Warning,

    // Styles by the kind of entry.
    Tcp,
    Udp,
    Icmp,
    Other,
    Opening,
    Open,
    Closing,
}

/// <summary>Adds lines to a frame. Each line is fitted to the width of the screen.</summary>
internal sealed class LineBuilder(TopFrame frame, int width, bool hasUnicode)
{
    private readonly List<TopSpan> _line = [];

    public TopFrame Frame { get; } = frame;

    public int Width { get; } = width;

    /// <summary>The sign at the end of a truncated text.</summary>
    public string CutSign { get; } = hasUnicode ? "…" : "+";

    /// <summary>Adds a line.</summary>
    public void Add(params TopSpan[] spans)
    {
        _line.Clear();
        int room = Width;
        foreach (TopSpan span in spans)
        {
            int wanted = TextWidth.Of(span.Text);
            if (wanted > room)
                _line.Add(span with { Text = Fit(span.Text, room) });
            else if (wanted > 0)
                _line.Add(span);
            room -= Math.Min(wanted, room);
        }

        // The style of the last span continues to the edge.
        if (room > 0)
            _line.Add(new TopSpan(new string(' ', room), spans.Length > 0 ? spans[^1].Style : TopStyle.Plain));
        Frame.Lines.Add([.. _line]);
    }

    /// <summary>Adds empty lines up to this number of lines.</summary>
    public void Fill(int lines)
    {
        while (Frame.Lines.Count < lines)
            Add();
    }

    /// <summary>Fits a text to a width.</summary>
    public string Fit(string text, int place, bool isRight = false) => TextWidth.Fit(text, place, isRight, CutSign);

    /// <summary>Adjusts the visible rows so that the selected row is among them.</summary>
    public void Scroll(int rows, int selected, int offset, int page)
    {
        page = Math.Max(1, page);
        selected = Math.Clamp(selected, 0, Math.Max(0, rows - 1));
        offset = Math.Clamp(offset, selected - page + 1, selected);
        offset = Math.Clamp(offset, 0, Math.Max(0, rows - page));
        (Frame.RowCount, Frame.PageSize, Frame.Selected, Frame.Offset) = (rows, page, selected, offset);
    }
}

/// <summary>Converts a frame into the bytes for a terminal (ECMA-48), to write at once.</summary>
internal static class AnsiRenderer
{
    private const string Escape = "\u001b[", Reset = Escape + "0m";

    /// <summary>Draws the frame from the upper left corner, over the previous content.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="colour">True to use colours. Otherwise only brightness, underline and reverse video are used.</param>
    public static string Render(TopFrame frame, bool colour)
    {
        StringBuilder text = new(frame.Lines.Count * 160);
        for (int i = 0; i < frame.Lines.Count; i++)
        {
            // Uses cursor positions, because line feeds would scroll a screen that has become smaller. Nothing needs clearing, because
            // lines are as wide as the screen.
            text.Append(CultureInfo.InvariantCulture, $"{Escape}{i + 1}H");
            foreach (TopSpan span in frame.Lines[i])
            {
                string code = CodeOf(span.Style, colour);
                if (code.Length == 0)
                    text.Append(span.Text);
                else
                    text.Append(Escape).Append(code).Append('m').Append(span.Text).Append(Reset);
            }
        }

        return text.ToString();
    }

    /// <summary>The parameters of SGR, Select Graphic Rendition.</summary>
    private static string CodeOf(TopStyle style, bool colour) => style switch
    {
        TopStyle.Plain => "",
        TopStyle.Title => "1",
        // Not reversed, because the selected row may be directly below.
        TopStyle.Header => "1;4",
        TopStyle.Selected => "7",
        TopStyle.Faint => "2",
        TopStyle.Prompt => "1",
        TopStyle.Warning => colour ? "1;33" : "1",
        _ when !colour => "",
        TopStyle.Tcp => "36",
        // Dark blue and grey are unreadable on some black backgrounds; bright blue and faint are readable.
        TopStyle.Udp => "94",
        TopStyle.Icmp => "35",
        TopStyle.Opening => "33",
        TopStyle.Open => "32",
        TopStyle.Closing => "2",
        _ => "",
    };
}
