using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>A column and the width it has on the screen.</summary>
internal readonly record struct TopPlace(TopColumn Column, int Width)
{
    /// <summary>What stands above the column.</summary>
    public string Title => TopLayout.TitleOf(Column);

    /// <summary>Numbers stand to the right.</summary>
    public bool IsRight => Column is not (TopColumn.Source or TopColumn.TranslatedSource or TopColumn.Destination
        or TopColumn.TranslatedDestination or TopColumn.Protocol or TopColumn.State);
}

/// <summary>Decides which columns a screen has room for, and how wide they are.</summary>
internal static class TopLayout
{
    /// <summary>An IPv4 address in full.</summary>
    private const int LeastAddress = 15;

    /// <summary>In the order in which they get room. The column that rows are sorted by comes before all.</summary>
    private static readonly TopColumn[] Optional =
    [
        TopColumn.SourcePort, TopColumn.Rate, TopColumn.Bytes, TopColumn.Packets, TopColumn.PacketRate, TopColumn.Mark, TopColumn.Zone,
    ];

    private static readonly TopColumn[] Always =
        [TopColumn.Source, TopColumn.Destination, TopColumn.DestinationPort, TopColumn.Protocol, TopColumn.State, TopColumn.TimeLeft];

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

    /// <summary>The columns from the left.</summary>
    /// <param name="view">What is asked for.</param>
    /// <param name="width">The screen's columns.</param>
    /// <param name="wanted">The longest text that is to be shown in an address column.</param>
    public static List<TopPlace> Arrange(TopView view, int width, Func<TopColumn, int> wanted)
    {
        HashSet<TopColumn> chosen = [.. Always, view.Order.Column];
        if (view.ShowsTranslation)
            chosen.UnionWith([TopColumn.TranslatedSource, TopColumn.TranslatedDestination]);
        int needed = chosen.Sum(column => (IsAddress(column) ? LeastOf(view, column, wanted) : WidthOf(column)) + 1) - 1;
        foreach (TopColumn column in Optional.Where(column => !chosen.Contains(column) && IsAskedFor(view, column)))
        {
            if (needed + WidthOf(column) + 1 > width)
                continue;
            chosen.Add(column);
            needed += WidthOf(column) + 1;
        }

        return Widen([.. chosen.Order()], width, column => view.HasFixedWidth ? int.MaxValue : wanted(column));
    }

    private static bool IsAddress(TopColumn column) => column is TopColumn.Source or TopColumn.Destination or TopColumn.TranslatedSource or TopColumn.TranslatedDestination;

    private static bool IsAskedFor(TopView view, TopColumn column) =>
        view.ShowsCounters || column is not (TopColumn.Rate or TopColumn.Bytes or TopColumn.Packets or TopColumn.PacketRate);

    private static int LeastOf(TopView view, TopColumn column, Func<TopColumn, int> wanted) =>
        view.HasFixedWidth ? LeastAddress : Math.Max(LeastAddress, wanted(column));

    private static int WidthOf(TopColumn column) => column switch
    {
        TopColumn.SourcePort or TopColumn.DestinationPort => 5,
        TopColumn.Protocol => 7,
        TopColumn.State => 11,
        TopColumn.TimeLeft => 8,
        TopColumn.Mark => 10,
        TopColumn.Zone => 5,
        TopColumn.Packets => 7,
        _ => 5,
    };

    /// <summary>Shares what is left among the address columns, none of which gets more than it wants.</summary>
    private static List<TopPlace> Widen(TopColumn[] columns, int width, Func<TopColumn, int> wanted)
    {
        int rest = width - (columns.Length - 1) - columns.Where(column => !IsAddress(column)).Sum(WidthOf);
        Dictionary<TopColumn, int> widths = [];
        TopColumn[] hungry = [.. columns.Where(IsAddress).OrderBy(wanted)];
        for (int i = 0; i < hungry.Length; i++)
        {
            // The least hungry first: what it leaves goes to the others.
            int share = Math.Max(1, rest / (hungry.Length - i));
            widths[hungry[i]] = Math.Min(share, Math.Max(LeastAddress, wanted(hungry[i])));
            rest -= widths[hungry[i]];
        }

        return [.. columns.Select(column => new TopPlace(column, widths.TryGetValue(column, out int given) ? given : WidthOf(column)))];
    }
}
