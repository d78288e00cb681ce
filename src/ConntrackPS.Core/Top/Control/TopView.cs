using System.Globalization;
using System.Reflection;
using ConntrackPS.Conntrack;
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
