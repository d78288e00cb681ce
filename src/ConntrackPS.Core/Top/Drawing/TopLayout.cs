using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>A column with its width.</summary>
internal readonly record struct TopPlace(TopColumn Column, int Width)
{
    /// <summary>The title of the column.</summary>
    public string Title => TopLayout.TitleOf(Column);

    /// <summary>True for numbers, which are right-aligned.</summary>
    public bool IsRight => Column is not (TopColumn.Source or TopColumn.TranslatedSource or TopColumn.Destination
        or TopColumn.TranslatedDestination or TopColumn.Protocol or TopColumn.State);
}

/// <summary>Selects the columns that fit on the screen, and their widths.</summary>
internal static class TopLayout
{
    /// <summary>The width of an IPv4 address.</summary>
    private const int LeastAddress = 15;

    private const int PortWidth = 5;

    /// <summary>Most service names are shorter.</summary>
    private const int ServiceWidth = 12;

    /// <summary>The columns that get space before long addresses do, in this order.</summary>
    private static readonly TopColumn[] Usual = [TopColumn.DestinationPort, TopColumn.Protocol, TopColumn.State, TopColumn.TimeLeft];

    /// <summary>The columns that get the space that addresses leave, in this order.</summary>
    private static readonly TopColumn[] Optional =
    [
        TopColumn.SourcePort, TopColumn.Rate, TopColumn.Bytes, TopColumn.Packets, TopColumn.PacketRate, TopColumn.Mark, TopColumn.Zone,
    ];

    public static string TitleOf(TopColumn column) => column switch
    {
        TopColumn.SourcePort => "SPort",
        TopColumn.DestinationPort => "DPort",
        TopColumn.TranslatedSource => "Source as",
        TopColumn.TranslatedDestination => "Destination as",
        TopColumn.Protocol => "Proto",
        TopColumn.TimeLeft => "Left",
        TopColumn.Rate => "bit/s",
        TopColumn.PacketRate => "pkt/s",
        _ => column.ToString(),
    };

    /// <summary>The columns from the left. They always include both addresses and the column that rows are sorted by.</summary>
    /// <param name="view">The view.</param>
    /// <param name="width">The screen's columns.</param>
    /// <param name="longest">Returns the length of the longest text in a column.</param>
    public static List<TopPlace> Arrange(TopView view, int width, Func<TopColumn, int> longest)
    {
        Dictionary<TopColumn, int> wanted = Enum.GetValues<TopColumn>()
            .ToDictionary(column => column, column => view.HasFixedWidth ? int.MaxValue : longest(column));
        HashSet<TopColumn> chosen = [TopColumn.Source, TopColumn.Destination, view.Order.Column];
        if (view.ShowsTranslation)
            chosen.UnionWith([TopColumn.TranslatedSource, TopColumn.TranslatedDestination]);
        Choose(chosen, Usual, width, LeastOf);
        Choose(chosen, Optional.Where(column => IsAskedFor(view, column)), width, column => view.HasFixedWidth ? LeastOf(column) : WidthOf(view, column, wanted[column]));
        return Widen(view, [.. chosen.Order()], width, wanted);

        int LeastOf(TopColumn column) => IsAddress(column) ? LeastAddress : WidthOf(view, column, wanted[column]);
    }

    private static void Choose(HashSet<TopColumn> chosen, IEnumerable<TopColumn> candidates, int width, Func<TopColumn, int> widthOf)
    {
        int needed = chosen.Sum(column => widthOf(column) + 1) - 1;
        foreach (TopColumn column in candidates.Where(column => !chosen.Contains(column)))
        {
            if (needed + widthOf(column) + 1 > width)
                continue;
            chosen.Add(column);
            needed += widthOf(column) + 1;
        }
    }

    private static bool IsAddress(TopColumn column) => column is TopColumn.Source or TopColumn.Destination or TopColumn.TranslatedSource or TopColumn.TranslatedDestination;

    private static bool IsAskedFor(TopView view, TopColumn column) => column switch
    {
        TopColumn.Bytes or TopColumn.Packets => view.ShowsCounters,
        TopColumn.Rate or TopColumn.PacketRate => view is { ShowsCounters: true, IsStill: false },
        _ => true,
    };

    /// <summary>The width for the title with its sort mark, and for the values.</summary>
    private static int WidthOf(TopView view, TopColumn column, int wanted) =>
        Math.Max(WidthOf(column, wanted, view.ShowsServices), TitleOf(column).Length + SortMark.Of(view, column).Length);

    /// <summary>Most columns have room for any value. In some of them that would waste space for rare values.</summary>
    private static int WidthOf(TopColumn column, int wanted, bool hasServices) => column switch
    {
        TopColumn.SourcePort or TopColumn.DestinationPort when hasServices => Math.Clamp(wanted, PortWidth, ServiceWidth),
        TopColumn.SourcePort or TopColumn.DestinationPort or TopColumn.Zone => PortWidth,
        TopColumn.Protocol => Math.Clamp(wanted, "icmpv6".Length, "udplite".Length),
        TopColumn.State => Math.Clamp(wanted, nameof(ConntrackState.Established).Length, nameof(ConntrackState.ShutdownAckSent).Length),
        TopColumn.TimeLeft or TopColumn.Packets => 8,
        TopColumn.Mark => 10,
        _ when IsAddress(column) => Math.Max(LeastAddress, wanted),
        _ => 6,
    };

    /// <summary>Distributes the remaining space among the address columns, up to the width that each needs.</summary>
    private static List<TopPlace> Widen(TopView view, TopColumn[] columns, int width, Dictionary<TopColumn, int> wanted)
    {
        int rest = width - (columns.Length - 1) - columns.Where(column => !IsAddress(column)).Sum(column => WidthOf(view, column, wanted[column]));
        Dictionary<TopColumn, int> widths = [];
        TopColumn[] hungry = [.. columns.Where(IsAddress).OrderBy(column => wanted[column])];
        for (int i = 0; i < hungry.Length; i++)
        {
            // The column that needs least comes first: the others share what it leaves.
            int share = Math.Max(1, rest / (hungry.Length - i));
            widths[hungry[i]] = Math.Min(share, WidthOf(view, hungry[i], wanted[hungry[i]]));
            rest -= widths[hungry[i]];
        }

        return [.. columns.Select(column => new TopPlace(column, widths.TryGetValue(column, out int given) ? given : WidthOf(view, column, wanted[column])))];
    }
}

/// <summary>The sort marks beside column titles: filled for the first sort column, hollow for the second.</summary>
internal static class SortMark
{
    public static string Of(TopView view, TopColumn column)
    {
        bool isFirst = column == view.Order.Column;
        if (!isFirst && column != view.Order.Then)
            return "";
        return Sign(view.HasUnicode, isFirst, isDown: TopOrder.IsDescending(column) != view.Order.IsReversed);
    }

    public static string Of(TopView view, GroupOrder order) =>
        order == view.GroupOrder ? Sign(view.HasUnicode, isFirst: true, isDown: !view.IsGroupOrderReversed) : "";

    private static string Sign(bool hasUnicode, bool isFirst, bool isDown) => (hasUnicode, isFirst, isDown) switch
    {
        (true, true, true) => "▼",
        (true, true, false) => "▲",
        (true, false, true) => "▽",
        (true, false, false) => "△",
        (false, true, true) => "v",
        (false, true, false) => "^",
        _ => "'",
    };
}
