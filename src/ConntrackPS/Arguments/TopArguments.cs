using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Arguments;

/// <summary>The names that differ between Show-ConntrackTop and Measure-ConntrackEntry. Each cmdlet accepts those of the other.</summary>
internal static class SharedNames
{
    /// <summary>The properties to group by: the name in the view, and the name of Measure-ConntrackEntry.</summary>
    public static readonly IReadOnlyDictionary<string, string> Groupings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(TopGrouping.Source)] = "SourceAddress",
        [nameof(TopGrouping.Destination)] = "DestinationAddress",
        [nameof(TopGrouping.Port)] = "DestinationPort",
    };

    /// <summary>The amounts to sort by.</summary>
    public static readonly IReadOnlyDictionary<string, string> Amounts = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(TopColumn.Rate)] = nameof(GroupOrder.BitsPerSecond),
        [nameof(TopColumn.Bytes)] = nameof(GroupOrder.TotalBytes),
        [nameof(TopColumn.PacketRate)] = nameof(GroupOrder.PacketsPerSecond),
        [nameof(TopColumn.Packets)] = nameof(GroupOrder.TotalPackets),
    };

    /// <summary>The columns of the view that have another name as a property of entries or in Measure-ConntrackEntry.</summary>
    public static readonly IReadOnlyDictionary<string, string> Columns = new Dictionary<string, string>(Amounts, StringComparer.OrdinalIgnoreCase)
    {
        [nameof(TopColumn.Source)] = "SourceAddress",
        [nameof(TopColumn.Destination)] = "DestinationAddress",
        [nameof(TopColumn.TranslatedSource)] = "TranslatedSourceAddress",
        [nameof(TopColumn.TranslatedDestination)] = "TranslatedDestinationAddress",
        [nameof(TopColumn.TimeLeft)] = "TimeoutSeconds",
    };

    /// <summary>The view's name for a name of either cmdlet.</summary>
    public static string ToView(IReadOnlyDictionary<string, string> names, string text) =>
        names.FirstOrDefault(pair => pair.Value.Equals(text, StringComparison.OrdinalIgnoreCase)).Key ?? text;

    /// <summary>The names, each with its name in the other cmdlet.</summary>
    public static string Choices(IReadOnlyDictionary<string, string> names) => string.Join(", ", names.Select(pair => $"{pair.Key} ({pair.Value})"));

    /// <summary>The names of an enumeration of the view, with the name in the other cmdlet if there is one.</summary>
    public static string Choices<T>(IReadOnlyDictionary<string, string> names)
        where T : struct, Enum =>
        string.Join(", ", Enum.GetNames<T>().Select(name => names.TryGetValue(name, out string? other) ? $"{name} ({other})" : name));
}

/// <summary>Reads the grouping of the live view.</summary>
public sealed class TopGroupingArgumentAttribute : ElementTransformationAttribute<TopGrouping>
{
    /// <summary>Reads one.</summary>
    public TopGroupingArgumentAttribute() => TakesOne = true;

    /// <inheritdoc/>
    protected override string AcceptedForm => "one of " + SharedNames.Choices<TopGrouping>(SharedNames.Groupings);

    /// <inheritdoc/>
    protected override TopGrouping Parse(string text) =>
        KernelSpelling.TryParse(SharedNames.ToView(SharedNames.Groupings, text), out TopGrouping grouping)
            ? grouping
            : throw new FormatException($"The view can't group by '{text}'. Write {AcceptedForm}. Measure-ConntrackEntry -GroupBy accepts every property.");
}

/// <summary>Reads a column of the live view.</summary>
public sealed class TopColumnArgumentAttribute : ElementTransformationAttribute<TopColumn>
{
    /// <summary>Reads one.</summary>
    public TopColumnArgumentAttribute() => TakesOne = true;

    /// <inheritdoc/>
    protected override string AcceptedForm => "one of " + SharedNames.Choices<TopColumn>(SharedNames.Columns);

    /// <inheritdoc/>
    protected override TopColumn Parse(string text) =>
        KernelSpelling.TryParse(SharedNames.ToView(SharedNames.Columns, text), out TopColumn column)
            ? column
            : throw new FormatException($"The view can't sort by '{text}'. Write {AcceptedForm}.");
}

/// <summary>Reads the sort order of the live view: a column, or a value that only groups have.</summary>
public sealed class TopSortArgumentAttribute : ElementTransformationAttribute<string>
{
    /// <summary>Reads one.</summary>
    public TopSortArgumentAttribute() => TakesOne = true;

    /// <summary>The accepted names, for entries and groups.</summary>
    internal static string Choices =>
        $"one of {SharedNames.Choices<TopColumn>(SharedNames.Columns)}; with -GroupBy also {string.Join(", ", OfGroups)}";

    /// <summary>The values that only groups can be sorted by.</summary>
    internal static IEnumerable<string> OfGroups =>
        GroupRows.Orders.Select(order => order.ToString()).Where(name => !SharedNames.Amounts.Values.Contains(name));

    /// <inheritdoc/>
    protected override string AcceptedForm => Choices;

    /// <inheritdoc/>
    protected override string Parse(string text)
    {
        string name = SharedNames.ToView(SharedNames.Columns, text);
        if (KernelSpelling.TryParse(name, out TopColumn column))
            return column.ToString();
        return OfGroups.FirstOrDefault(order => order.Equals(text, StringComparison.OrdinalIgnoreCase))
            ?? throw new FormatException($"The view can't sort by '{text}'. Write {AcceptedForm}.");
    }
}
