using ConntrackPS.Diagnosis;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Names;
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
