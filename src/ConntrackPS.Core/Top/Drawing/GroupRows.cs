using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The rows of a view of groups: sources, destinations or ports.</summary>
internal static class GroupRows
{
    /// <summary>What groups can be sorted by, in the order of the columns.</summary>
    public static readonly GroupOrder[] Orders =
    [
        GroupOrder.Count, GroupOrder.Assured, GroupOrder.Unreplied, GroupOrder.SynSent, GroupOrder.BitsPerSecond, GroupOrder.TotalBytes,
    ];

    private const int LeastName = 15;

    /// <summary>The widths of the columns behind the name: those of <see cref="Orders"/>, and the percentage after the first.
    /// </summary>
    private static readonly int[] Widths = [9, 6, 8, 10, 8, 6, 6];

    public static void Draw(LineBuilder lines, TopSnapshot snapshot, TopView view, int page, INameSource? names)
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

    private static string NameOf(ConntrackGroup group, TopGrouping grouping, INameSource? names)
    {
        if (grouping == TopGrouping.Port || names is null || group.GetValues()[0].Value is not string text)
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
