using System.Globalization;

namespace ConntrackPS.Metrics;

/// <summary>The text formats of monitoring systems.</summary>
public enum MetricFormat
{
    /// <summary>The text format of Prometheus, version 0.0.4, for the textfile collector of node_exporter.</summary>
    Prometheus,

    /// <summary>OpenMetrics 1.0.0.</summary>
    OpenMetrics,

    /// <summary>The line protocol of InfluxDB and Telegraf.</summary>
    Influx,
}

/// <summary>Writes samples as text. One family is together, in the order of the catalog.</summary>
internal static class MetricText
{
    private const double LargestExact = 1L << 53;

    /// <summary>The lines of a format.</summary>
    /// <exception cref="FormatException">The format can't hold a label.</exception>
    public static IReadOnlyList<string> Write(IReadOnlyList<MetricSample> samples, MetricFormat format, DateTimeOffset time) => format switch
    {
        MetricFormat.Influx => [.. InfluxLines(samples, time)],
        MetricFormat.OpenMetrics => [.. Families(samples, isOpenMetrics: true), "# EOF"],
        _ => [.. Families(samples, isOpenMetrics: false)],
    };

    /// <summary>The value of a label in quotes. Both formats of Prometheus escape the same three characters.</summary>
    internal static string Quote(string value) => $"\"{EscapeLine(value).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    /// <summary>The value of a tag. The line protocol ends a tag at a comma, a space or the end of the line, and has no escape for a
    /// backslash.</summary>
    /// <exception cref="FormatException">It has a control character such as a line feed, which would end the line, or ends in a backslash,
    /// which would escape the next separator.</exception>
    internal static string EscapeTag(string value)
    {
        if (value.EndsWith('\\') || value.Any(char.IsControl))
        {
            string shown = string.Concat(value.Select(letter => char.IsControl(letter) ? '?' : letter));
            throw new FormatException($"'{shown}' can't be written in the line protocol of InfluxDB, because it has a control character or ends in a backslash.");
        }

        return value.Replace(",", @"\,", StringComparison.Ordinal).Replace("=", @"\=", StringComparison.Ordinal).Replace(" ", @"\ ", StringComparison.Ordinal);
    }

    private static IEnumerable<string> Families(IReadOnlyList<MetricSample> samples, bool isOpenMetrics)
    {
        ILookup<MetricDefinition, MetricSample> byMetric = samples.ToLookup(sample => sample.Metric);
        foreach (MetricDefinition metric in MetricCatalog.All.Where(byMetric.Contains))
        {
            string family = isOpenMetrics ? metric.Family : metric.Name;
            string help = EscapeLine(metric.Help);
            yield return $"# HELP {family} {(isOpenMetrics ? help.Replace("\"", "\\\"", StringComparison.Ordinal) : help)}";
            yield return $"# TYPE {family} {metric.Type.ToString().ToLowerInvariant()}";
            if (isOpenMetrics && metric.Unit is not null)
                yield return $"# UNIT {family} {metric.Unit}";
            foreach (MetricSample sample in byMetric[metric])
            {
                string labels = string.Join(',', sample.Labels.Select(label => $"{label.Name}={Quote(label.Value)}"));
                yield return $"{metric.Name}{(labels.Length == 0 ? "" : $"{{{labels}}}")} {Number(sample.Value)}";
            }
        }
    }

    private static IEnumerable<string> InfluxLines(IReadOnlyList<MetricSample> samples, DateTimeOffset time)
    {
        long nanoseconds = (time - DateTimeOffset.UnixEpoch).Ticks * 100;
        foreach (IGrouping<string, MetricSample> line in samples.GroupBy(Series))
        {
            string fields = string.Join(',', line.Select(sample => $"{sample.Metric.Field}={Number(sample.Value)}{(sample.Metric.IsFraction ? "" : "i")}"));
            yield return FormattableString.Invariant($"{line.Key} {fields} {nanoseconds}");
        }
    }

    /// <summary>The measurement with its tags, sorted by name as InfluxDB recommends.</summary>
    private static string Series(MetricSample sample) => string.Concat(
        sample.Labels.OrderBy(label => label.Name, StringComparer.Ordinal).Select(label => $",{label.Name}={EscapeTag(label.Value)}").Prepend(sample.Metric.Measurement));

    private static string EscapeLine(string text) =>
        text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    /// <summary>Integers without an exponent.</summary>
    private static string Number(double value) => value == Math.Floor(value) && Math.Abs(value) < LargestExact
        ? ((long)value).ToString(CultureInfo.InvariantCulture)
        : value.ToString("R", CultureInfo.InvariantCulture);
}
