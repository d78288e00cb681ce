using System.Globalization;
using System.Reflection;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

/// <summary>The pane that covers the rows.</summary>
internal enum TopPane
{
    None,
    Help,
    Detail,
    Plot,
}

/// <summary>The state of a live view between two keys. The picture is a function of this, of a snapshot and of the screen's size.</summary>
internal sealed record TopView
{
    public TopOrder Order { get; init; } = new(TopColumn.Rate);

    public GroupOrder GroupOrder { get; init; } = GroupOrder.Count;

    public bool IsGroupOrderReversed { get; init; }

    public TopGrouping Grouping { get; init; }

    public TopPane Pane { get; init; }

    /// <summary>The content of the pane of one entry. Null if the entry is gone.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Detail { get; init; } = [];

    /// <summary>The entry of the pane.</summary>
    public EntryKey DetailOf { get; init; }

    /// <summary>The view that Esc returns to, for a view of one group's entries.</summary>
    public TopView? Outer { get; init; }

    /// <summary>The first visible line of a pane.</summary>
    public int PaneOffset { get; init; }

    /// <summary>The index of the selected row, from 0.</summary>
    public int Selected { get; init; }

    /// <summary>The index of the first visible row.</summary>
    public int Offset { get; init; }

    /// <summary>The filter that the user typed or gave on the command line.</summary>
    public TopFilter Filter { get; init; } = new();

    public TopPrompt? Prompt { get; init; }

    /// <summary>The syntax of filters, which the core does not know. Null to show none.</summary>
    public FilterSyntax? FilterSyntax { get; init; }

    /// <summary>The last result, shown in the last line.</summary>
    public string Message { get; init; } = "";

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    public bool IsFrozen { get; init; }

    /// <summary>True for a single frame without hints for keys and without rates.</summary>
    public bool IsStill { get; init; }

    public bool ShowsNames { get; init; }

    /// <summary>True to show services in place of ports.</summary>
    public bool ShowsServices { get; init; }

    public bool ShowsTranslation { get; init; }

    public bool ShowsCounters { get; init; } = true;

    public bool ShowsTotals { get; init; } = true;

    public bool HasColour { get; init; } = true;

    /// <summary>True to give all address columns the same width, instead of the width of the visible addresses.</summary>
    public bool HasFixedWidth { get; init; }

    /// <summary>True if characters outside ASCII may be used.</summary>
    public bool HasUnicode { get; init; } = true;

    /// <summary>The namespace for the title, or null for the caller's own.</summary>
    public string? Namespace { get; init; }
}

/// <summary>The limits of the refresh interval, in seconds.</summary>
internal static class TopLimits
{
    public const double LeastInterval = 0.1, MostInterval = 3600;
}

/// <summary>All properties of an entry, for the pane of one entry.</summary>
internal static class EntryDetail
{
    private static readonly PropertyInfo[] Properties = typeof(ConntrackEntry).GetProperties();

    /// <summary>Each property that is not null, by name.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Of(ConntrackEntry entry) =>
        [.. from property in Properties
            let value = property.GetValue(entry)
            where value is not null
            select KeyValuePair.Create(property.Name, Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")];
}

/// <summary>The filter of a live view.</summary>
internal sealed record TopFilter
{
    // The same object while nothing changes. A reader uses this to decide whether rates continue.
    private readonly Lazy<ConntrackFilter> _combined;

    public TopFilter() => _combined = new Lazy<ConntrackFilter>(Combine);

    // A copy needs its own, because "with" would copy that of the original.
    private TopFilter(TopFilter original)
    {
        (Text, Asked, IsInverted, SkipsLoopback, SkipsDns) =
            (original.Text, original.Asked, original.IsInverted, original.SkipsLoopback, original.SkipsDns);
        _combined = new Lazy<ConntrackFilter>(Combine);
    }

    /// <summary>The text that the user typed, as the initial text of the prompt.</summary>
    public string Text { get; init; } = "";

    /// <summary>The filter that it means.</summary>
    public ConntrackFilter Asked { get; init; } = new();

    /// <summary>True to show the other entries instead.</summary>
    public bool IsInverted { get; init; }

    /// <summary>True to hide loopback connections.</summary>
    public bool SkipsLoopback { get; init; }

    /// <summary>True to hide queries to name servers. Name lookups would add more of them.</summary>
    public bool SkipsDns { get; init; }

    /// <summary>True if some entries are hidden.</summary>
    public bool IsActive => !Asked.IsEmpty || SkipsLoopback || SkipsDns;

    /// <summary>All conditions combined in one filter.</summary>
    public ConntrackFilter Combined => _combined.Value;

    private ConntrackFilter Combine()
    {
        ConntrackFilter asked = Asked;
        bool isInverted = IsInverted && !asked.IsEmpty;
        List<FilterTerm> conditions = isInverted ? [] : [.. asked.Conditions];
        if (isInverted)
            conditions.Add(new FilterTerm(nameof(ConntrackFilter.Conditions), $"not ({asked})", entry => !asked.Matches(entry)));
        if (SkipsLoopback)
            conditions.Add(new FilterTerm(nameof(SkipsLoopback), "no loopback address", entry => !IsLoopback(entry)));
        if (SkipsDns)
            conditions.Add(new FilterTerm(nameof(SkipsDns), "no query to a name server", entry => entry.DestinationPort != 53));
        return (isInverted ? new ConntrackFilter() : asked) with { Conditions = conditions };
    }

    private static bool IsLoopback(ConntrackEntry entry) =>
        IsLoopback(entry.Original.Family, entry.Original.Source) || IsLoopback(entry.Original.Family, entry.Original.Destination);

    private static bool IsLoopback(IPFamily family, AddressBits address) =>
        family == IPFamily.IPv6 ? address == new AddressBits(0, 1) : (byte)(address.Low >> 24) == 127;
}
