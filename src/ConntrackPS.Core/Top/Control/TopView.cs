using System.Globalization;
using System.Reflection;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

/// <summary>What covers the rows.</summary>
internal enum TopPane
{
    None,
    Help,
    Detail,
}

/// <summary>All that a live view remembers between two keys: how it looks is a function of this, of a snapshot and of the
/// screen's size.</summary>
internal sealed record TopView
{
    public TopOrder Order { get; init; } = new(TopColumn.Rate);

    public GroupOrder GroupOrder { get; init; } = GroupOrder.Count;

    public bool IsGroupOrderReversed { get; init; }

    public TopGrouping Grouping { get; init; }

    public TopPane Pane { get; init; }

    /// <summary>What the pane of one entry shows; null once the entry is gone.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Detail { get; init; } = [];

    /// <summary>Whose properties these are.</summary>
    public EntryKey DetailOf { get; init; }

    /// <summary>The view that Esc leads back to, in a view of one group's entries.</summary>
    public TopView? Outer { get; init; }

    /// <summary>The first line of a pane that is shown.</summary>
    public int PaneOffset { get; init; }

    /// <summary>The selected row, from 0, in the order of the rows.</summary>
    public int Selected { get; init; }

    /// <summary>The first row shown.</summary>
    public int Offset { get; init; }

    /// <summary>The filter that was typed, or given on the command line.</summary>
    public TopFilter Filter { get; init; } = new();

    public TopPrompt? Prompt { get; init; }

    /// <summary>How filters are written, of which the core knows nothing; null: not told.</summary>
    public FilterSyntax? FilterSyntax { get; init; }

    /// <summary>What happened last, for the last line.</summary>
    public string Message { get; init; } = "";

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    public bool IsFrozen { get; init; }

    /// <summary>There is this one frame, which tells neither of keys nor of what moved since another.</summary>
    public bool IsStill { get; init; }

    public bool ShowsNames { get; init; }

    /// <summary>Services stand in place of ports.</summary>
    public bool ShowsServices { get; init; }

    public bool ShowsTranslation { get; init; }

    public bool ShowsCounters { get; init; } = true;

    public bool ShowsTotals { get; init; } = true;

    public bool HasColour { get; init; } = true;

    /// <summary>Address columns share the room alike, instead of taking what the shown addresses need.</summary>
    public bool HasFixedWidth { get; init; }

    /// <summary>Signs outside ASCII may be used.</summary>
    public bool HasUnicode { get; init; } = true;

    /// <summary>Where the table is, for the title; null for the caller's own namespace.</summary>
    public string? Namespace { get; init; }
}

/// <summary>How often a view may look at the table, in seconds.</summary>
internal static class TopLimits
{
    public const double LeastInterval = 0.1, MostInterval = 3600;
}

/// <summary>All that an entry says, for the pane of one entry.</summary>
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

/// <summary>Which entries a live view shows.</summary>
internal sealed record TopFilter
{
    // The same object as long as nothing changes, by which a reader knows that rates go on.
    private readonly Lazy<ConntrackFilter> _combined;

    public TopFilter() => _combined = new Lazy<ConntrackFilter>(Combine);

    // A copy has its own: "with" would take that of the original along.
    private TopFilter(TopFilter original)
    {
        (Text, Asked, IsInverted, SkipsLoopback, SkipsDns) =
            (original.Text, original.Asked, original.IsInverted, original.SkipsLoopback, original.SkipsDns);
        _combined = new Lazy<ConntrackFilter>(Combine);
    }

    /// <summary>What was typed, for the prompt to begin with.</summary>
    public string Text { get; init; } = "";

    /// <summary>What it means.</summary>
    public ConntrackFilter Asked { get; init; } = new();

    /// <summary>Show the others instead.</summary>
    public bool IsInverted { get; init; }

    /// <summary>Leave out what goes over the loopback.</summary>
    public bool SkipsLoopback { get; init; }

    /// <summary>Leave out queries to name servers, of which looking names up makes ever more.</summary>
    public bool SkipsDns { get; init; }

    /// <summary>True where not all entries are shown.</summary>
    public bool IsActive => !Asked.IsEmpty || SkipsLoopback || SkipsDns;

    /// <summary>All of it in one.</summary>
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
