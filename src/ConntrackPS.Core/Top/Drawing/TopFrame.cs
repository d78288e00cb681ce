using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>A piece of a line.</summary>
internal readonly record struct TopSpan(string Text, TopStyle Style = TopStyle.Plain);

/// <summary>One picture of a live view, and what one needs to know of it to make sense of the next key.</summary>
internal sealed class TopFrame
{
    /// <summary>The lines, from the top, each exactly as wide as the screen.</summary>
    public List<TopSpan[]> Lines { get; } = [];

    /// <summary>The filter under which what is seen was read.</summary>
    public ConntrackFilter Filter { get; set; } = new();

    /// <summary>What was read under it.</summary>
    public BlockList<TopEntry>? Entries { get; set; }

    /// <summary>How many rows there are in all.</summary>
    public int RowCount { get; set; }

    /// <summary>How many rows fit on the screen.</summary>
    public int PageSize { get; set; }

    /// <summary>The selected row and the first one shown, once both are where rows are.</summary>
    public int Selected { get; set; }

    public int Offset { get; set; }

    /// <summary>The entry in the selected row, in a view of entries.</summary>
    public TopEntry? SelectedEntry { get; set; }

    /// <summary>The group in the selected row, in a view of groups.</summary>
    public ConntrackGroup? SelectedGroup { get; set; }

    /// <summary>The columns that are shown, from the left.</summary>
    public IReadOnlyList<TopColumn> Columns { get; set; } = [];

    /// <summary>The picture as plain text, without what is blank at the ends of lines.</summary>
    public IEnumerable<string> ToText() => Lines.Select(line => string.Concat(line.Select(span => span.Text)).TrimEnd());
}

/// <summary>What a piece of a frame is; the renderer decides how that looks.</summary>
internal enum TopStyle
{
    Plain,
    Title,
    Header,
    Selected,
    Faint,
    Prompt,
    Warning,

    // By what an entry is.
    Tcp,
    Udp,
    Icmp,
    Other,
    Opening,
    Open,
    Closing,
}

/// <summary>Adds lines to a frame, each made exactly as wide as the screen.</summary>
internal sealed class LineBuilder(TopFrame frame, int width, bool hasUnicode)
{
    private readonly List<TopSpan> _line = [];

    public TopFrame Frame { get; } = frame;

    public int Width { get; } = width;

    /// <summary>What stands where a text was cut off.</summary>
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

        // The last piece's style goes on to the edge.
        if (room > 0)
            _line.Add(new TopSpan(new string(' ', room), spans.Length > 0 ? spans[^1].Style : TopStyle.Plain));
        Frame.Lines.Add([.. _line]);
    }

    /// <summary>Adds empty lines until the frame has so many.</summary>
    public void Fill(int lines)
    {
        while (Frame.Lines.Count < lines)
            Add();
    }

    /// <summary>Makes a text as wide as its place.</summary>
    public string Fit(string text, int place, bool isRight = false) => TextWidth.Fit(text, place, isRight, CutSign);

    /// <summary>Decides which rows are seen, so that the selected one is among them.</summary>
    public void Scroll(int rows, int selected, int offset, int page)
    {
        page = Math.Max(1, page);
        selected = Math.Clamp(selected, 0, Math.Max(0, rows - 1));
        offset = Math.Clamp(offset, selected - page + 1, selected);
        offset = Math.Clamp(offset, 0, Math.Max(0, rows - page));
        (Frame.RowCount, Frame.PageSize, Frame.Selected, Frame.Offset) = (rows, page, selected, offset);
    }
}

/// <summary>Turns a frame into the bytes of a terminal (ECMA-48), to be written at once.</summary>
internal static class AnsiRenderer
{
    private const string Escape = "\u001b[", Reset = Escape + "0m";

    /// <summary>The frame, from the upper left corner on, over whatever was there.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="colour">Whether colours may be used; without, only brightness, underlines and reversal are.</param>
    public static string Render(TopFrame frame, bool colour)
    {
        StringBuilder text = new(frame.Lines.Count * 160);
        for (int i = 0; i < frame.Lines.Count; i++)
        {
            // By place, not by line feeds, which would scroll a screen that has become smaller meanwhile. Nothing need be
            // cleared: lines are as wide as the screen.
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
        // Not reversed: the selected row may be the one below.
        TopStyle.Header => "1;4",
        TopStyle.Selected => "7",
        TopStyle.Faint => "2",
        TopStyle.Prompt => "1",
        TopStyle.Warning => colour ? "1;33" : "1",
        _ when !colour => "",
        TopStyle.Tcp => "36",
        // Dark blue and grey can't be read on every black; bright blue and faint can.
        TopStyle.Udp => "94",
        TopStyle.Icmp => "35",
        TopStyle.Opening => "33",
        TopStyle.Open => "32",
        TopStyle.Closing => "2",
        _ => "",
    };
}
