namespace ConntrackPS.Metrics;

/// <summary>The type of a metric.</summary>
public enum MetricType
{
    /// <summary>A value that goes up and down.</summary>
    Gauge,

    /// <summary>A value that only grows, until it starts again.</summary>
    Counter,
}

/// <summary>The part of an export that a metric belongs to. Each part is read separately, and may fail separately.</summary>
public enum MetricPart
{
    /// <summary>The fill of the table, and the kernel's counters. Needs no privilege.</summary>
    Statistics,

    /// <summary>Counts of entries, from a listing of the table. Needs CAP_NET_ADMIN.</summary>
    Entries,

    /// <summary>The findings of the health check. Needs CAP_NET_ADMIN.</summary>
    Health,

    /// <summary>The export itself.</summary>
    Export,
}

/// <summary>A metric, as monitoring systems see it.</summary>
/// <param name="Name">Its name, with its unit at the end; counters end in <c>_total</c>.</param>
/// <param name="Type">Gauge or counter.</param>
/// <param name="Unit">Its base unit (seconds, bytes, ratio), or null if it counts things.</param>
/// <param name="Part">The part of the export.</param>
/// <param name="Labels">The labels besides <c>namespace</c>, which every metric of a network namespace has.</param>
/// <param name="Help">One sentence about the value.</param>
/// <param name="Source">The origin of the value, in the kernel's terms.</param>
public sealed record MetricDefinition(
    string Name, MetricType Type, string? Unit, MetricPart Part, IReadOnlyList<string> Labels, string Help, string Source)
{
    /// <summary>The end of a counter's name.</summary>
    internal const string Total = "_total";

    /// <summary>The name of the family in OpenMetrics: without <c>_total</c>.</summary>
    public string Family => Type == MetricType.Counter ? Name[..^Total.Length] : Name;

    /// <summary>The measurement of the line protocol of InfluxDB. Metrics of one measurement share a line.</summary>
    internal string Measurement { get; init; } = "conntrack";

    /// <summary>True if the value can have a fraction. InfluxDB gives a field one type forever.</summary>
    internal bool IsFraction { get; init; }

    /// <summary>The field of the line protocol: the rest of the name.</summary>
    internal string Field => Name[(Measurement.Length + 1)..];
}
