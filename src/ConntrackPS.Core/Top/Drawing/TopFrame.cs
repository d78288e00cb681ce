using ConntrackPS.Conntrack.Filtering;
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
