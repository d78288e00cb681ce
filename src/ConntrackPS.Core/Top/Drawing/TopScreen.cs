using ConntrackPS.Top.Control;
using ConntrackPS.Top.Names;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>Draws a live view: a function of a snapshot, of what the view remembers, and of the screen's size.</summary>
/// <remarks>Formats what is seen and no more, whatever the size of the table.</remarks>
internal static class TopScreen
{
    /// <summary>Smaller screens show a word instead of a picture.</summary>
    public const int LeastWidth = 40, LeastHeight = 8;

    /// <summary>Draws a frame.</summary>
    /// <param name="snapshot">The table.</param>
    /// <param name="view">What is shown of it, and how.</param>
    /// <param name="width">The screen's columns.</param>
    /// <param name="height">The screen's lines; all of them are used.</param>
    /// <param name="names">Names of addresses, for a view that shows them.</param>
    public static TopFrame Draw(TopSnapshot snapshot, TopView view, int width, int height, INameSource? names = null)
    {
        TopFrame frame = new() { Filter = snapshot.Filter };
        LineBuilder lines = new(frame, width, view.HasUnicode);
        if (width < LeastWidth || height < LeastHeight)
        {
            lines.Add(new TopSpan($"needs {LeastWidth} x {LeastHeight}", TopStyle.Warning));
            lines.Fill(height);
            return frame;
        }

        Banner.Draw(lines, snapshot, view);
        int rows = height - frame.Lines.Count - 1;
        if (view.Pane != TopPane.None)
            Pane.Draw(lines, view, rows);
        else if (view.Grouping != TopGrouping.None)
            GroupRows.Draw(lines, snapshot, view, rows - 1, view.ShowsNames ? names : null);
        else
            EntryRows.Draw(lines, snapshot, view, rows - 1, view.ShowsNames ? names : null);
        lines.Fill(height - 1);
        lines.Add(StatusLine.Of(snapshot, view, width));
        return frame;
    }
}
