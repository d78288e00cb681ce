using System.Collections.ObjectModel;
using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.History;

/// <summary>The fill of a table and the kernel's counters at one time, as a line of a history keeps them. Rates are those since the record
/// before it of the same network namespace; they are null for the first one, after a boot, and if another namespace took the name.</summary>
public sealed class ConntrackHistoryRecord : ConntrackCounterRates
{
    internal ConntrackHistoryRecord(CounterValues counters, CounterValues? counted = null, double? seconds = null)
        : base(counters, counted, seconds ?? 0) => Seconds = seconds is { } known ? Math.Round(known, 3) : null;

    /// <summary>The time by the wall clock, local time. It may jump; the order of the records does not.</summary>
    public required DateTime Time { get; init; }

    /// <summary>The number of the record in its history, from 1. Null before it is recorded.</summary>
    public long? Sequence { get; init; }

    /// <summary>The id of the boot (/proc/sys/kernel/random/boot_id); null for values of another machine.</summary>
    public string? BootId { get; init; }

    /// <summary>Seconds since that boot (CLOCK_MONOTONIC), which do not jump.</summary>
    public double? Uptime { get; init; }

    /// <summary>Entries in the table (nf_conntrack_count).</summary>
    public required long Count { get; init; }

    /// <summary>The change of Count since the previous record.</summary>
    public long? CountChange { get; init; }

    /// <summary>Entries allowed (nf_conntrack_max), 0 for no limit; null if unknown.</summary>
    public long? Maximum { get; init; }

    /// <summary>Count as a percentage of Maximum. 0 if there is no limit.</summary>
    public double? FillPercent => Maximum is { } maximum ? TableFill.Percent(Count, maximum) : null;

    /// <summary>Size of the hash table (nf_conntrack_buckets); null if unknown.</summary>
    public long? Buckets { get; init; }

    /// <summary>Seconds since the previous record, which rates are computed from.</summary>
    public double? Seconds { get; }

    /// <summary>The sources with the most entries and their numbers, the largest first; null if they were not recorded.</summary>
    public IReadOnlyDictionary<string, long>? TopSources { get; init; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; init; }

    /// <summary>A record of values that were just read.</summary>
    /// <param name="stat">The values. A text must have a count.</param>
    /// <param name="topSources">The sources, or null.</param>
    internal static ConntrackHistoryRecord Of(ConntrackStat stat, SourceCounts? topSources = null) => new(stat.Values)
    {
        Time = stat.Time ?? DateTime.Now,
        BootId = stat.Timestamp is null ? null : BootClock.Id,
        Uptime = UptimeOf(stat.Timestamp),
        Count = stat.Count ?? throw new FormatException("it has no Count."),
        Maximum = stat.Maximum,
        Buckets = stat.Buckets,
        Namespace = stat.Namespace,
        TopSources = topSources,
    };

    /// <inheritdoc cref="Of(ConntrackStat, SourceCounts?)"/>
    internal static ConntrackHistoryRecord Of(ConntrackStatRate rate, SourceCounts? topSources = null) => new(rate.Values)
    {
        Time = rate.Time,
        BootId = BootClock.Id,
        Uptime = UptimeOf(rate.Timestamp),
        Count = rate.Cpu is null ? rate.Count : throw new FormatException("it is of one processor."),
        Maximum = rate.Maximum,
        Buckets = rate.Buckets,
        Namespace = rate.Namespace,
        TopSources = topSources,
    };

    /// <summary>The same values with the number that the history gave.</summary>
    internal ConntrackHistoryRecord Numbered(long sequence) => With(sequence, null, TopSources);

    /// <summary>The same values with sources.</summary>
    internal ConntrackHistoryRecord WithSources(IReadOnlyDictionary<string, long>? sources) => With(Sequence, null, sources);

    /// <summary>The same values with the changes since the previous record of the same namespace.</summary>
    internal ConntrackHistoryRecord After(ConntrackHistoryRecord previous) => With(Sequence, previous, TopSources);

    /// <summary>On one line: <c>2026-11-20 12:34:56 24000 of 262144</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Time:yyyy-MM-dd HH:mm:ss} {Count}{(Maximum is { } maximum ? $" of {maximum}" : "")}");

    private static double? UptimeOf(long? timestamp) => timestamp is { } known ? Math.Round(BootClock.SecondsOf(known), 3) : null;

    private ConntrackHistoryRecord With(long? sequence, ConntrackHistoryRecord? previous, IReadOnlyDictionary<string, long>? sources)
    {
        double? seconds = previous is null ? null : SecondsSince(previous);
        CounterValues? counted = seconds is null ? null : Values.Since(previous!.Values);
        return new ConntrackHistoryRecord(Values, counted, counted is null ? null : seconds)
        {
            Time = Time,
            Sequence = sequence,
            BootId = BootId,
            Uptime = Uptime,
            Count = Count,
            CountChange = seconds is null ? null : Count - previous!.Count,
            Maximum = Maximum,
            Buckets = Buckets,
            Namespace = Namespace,
            TopSources = sources,
        };
    }

    /// <summary>The time between two records of one boot. Without a boot the wall clock is all there is.</summary>
    private double? SecondsSince(ConntrackHistoryRecord previous)
    {
        if (BootId != previous.BootId)
            return null;
        double? seconds = Uptime is not null ? Uptime - previous.Uptime : (Time - previous.Time).TotalSeconds;
        return seconds > 0 ? seconds : null;
    }
}

/// <summary>Sources and their numbers of entries. As text they are one line: <c>10.0.0.1=42; 10.0.0.2=7</c>.</summary>
internal sealed class SourceCounts(IDictionary<string, long> counts) : ReadOnlyDictionary<string, long>(counts)
{
    /// <summary>Reads what <see cref="ToString"/> has written.</summary>
    /// <returns>Null if a number is missing.</returns>
    public static SourceCounts? Parse(string text)
    {
        Dictionary<string, long> counts = new(StringComparer.Ordinal);
        foreach ((string name, string value) in ExtraWords.Parse(text) ?? Enumerable.Empty<KeyValuePair<string, string>>())
        {
            if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long count))
                return null;
            counts[name] = count;
        }

        return new SourceCounts(counts);
    }

    public override string ToString() =>
        ExtraWords.Of(this.ToDictionary(pair => pair.Key, pair => pair.Value.ToString(CultureInfo.InvariantCulture), StringComparer.Ordinal))!.ToString();
}
