using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Reporting;

/// <summary>Makes the tables of a report from its content.</summary>
internal static class ReportTables
{
    /// <summary>The largest groups with their sums.</summary>
    public static ReportTable Groups(TableTally tally, TallyKind kind, string title)
    {
        List<ReportColumn> columns = [new(title), new("Entries", true), new("%", true), new("Assured", true), new("Unreplied", true), new("SynSent", true)];
        if (tally.HasCounters)
            columns.AddRange([new("Packets", true), new("Bytes", true)]);
        ConntrackGroup[] groups = [.. tally.Largest(kind)];
        double most = groups.Select(group => (double)group.Count).DefaultIfEmpty(1).Max();
        return new ReportTable(columns, [.. groups.Select(group => Row(group, tally.HasCounters, most))]);
    }

    /// <summary>The numbers of entries in two tables, by source, the largest change first.</summary>
    public static ReportTable Changes(TableTally before, TableTally after, TallyKind kind, string title, int top)
    {
        Dictionary<string, long> earlier = before.Counts(kind), later = after.Counts(kind);
        (string Name, long Before, long After)[] changes =
        [
            .. earlier.Keys.Union(later.Keys)
                .Select(name => (Name: name, Before: earlier.GetValueOrDefault(name), After: later.GetValueOrDefault(name)))
                .Where(row => row.Before != row.After)
                .OrderByDescending(row => Math.Abs(row.After - row.Before)).ThenBy(row => row.Name, StringComparer.Ordinal)
                .Take(top),
        ];
        double most = changes.Select(row => Math.Abs((double)row.After - row.Before)).DefaultIfEmpty(1).Max();
        return new ReportTable(
            [new(title), new("Before", true), new("After", true), new("Change", true)],
            [.. changes.Select(row => (IReadOnlyList<ReportCell>)
                [
                    new(Unknown(row.Name)),
                    Count(row.Before),
                    Count(row.After),
                    new((row.After - row.Before).ToString("+#,0;-#,0", CultureInfo.InvariantCulture), row.After - row.Before, Math.Abs(row.After - row.Before) / most),
                ])]);
    }

    /// <summary>The settings and timeouts with other values than the kernel's defaults.</summary>
    public static ReportTable Differences(IEnumerable<ReportSetting> settings) => new(
        [new("Setting"), new("Value"), new("Default"), new("Meaning")],
        [.. settings.Where(setting => setting.Differs).Select(setting => (IReadOnlyList<ReportCell>)
            [new(setting.Name), new(Text(setting.Value, setting.Unit)), new(Text(setting.Default!, setting.Unit)), new(setting.Meaning)])]);

    /// <summary>The sources that were recorded, with the highest number of entries that each had and its time.</summary>
    public static ReportTable RecordedSources(IEnumerable<ConntrackHistoryRecord> history, int top)
    {
        Dictionary<string, (long Most, DateTime Time, int Records)> sources = new(StringComparer.Ordinal);
        foreach (ConntrackHistoryRecord record in history)
        {
            foreach ((string name, long count) in record.TopSources ?? new SourceCounts(new Dictionary<string, long>()))
            {
                (long most, DateTime time, int records) = sources.GetValueOrDefault(name);
                sources[name] = count > most ? (count, record.Time, records + 1) : (most, time, records + 1);
            }
        }

        double highest = sources.Values.Select(source => (double)source.Most).DefaultIfEmpty(1).Max();
        return new ReportTable(
            [new("Source"), new("Most entries", true), new("At"), new("Records", true)],
            [.. sources.OrderByDescending(source => source.Value.Most).ThenBy(source => source.Key, StringComparer.Ordinal).Take(top)
                .Select(source => (IReadOnlyList<ReportCell>)
                [
                    new(source.Key),
                    Count(source.Value.Most, source.Value.Most / highest),
                    new(source.Value.Time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)),
                    Count(source.Value.Records),
                ])]);
    }

    /// <summary>The name of a group, with a word for one whose value the text has hidden.</summary>
    public static string Unknown(string name) => name == "-" ? "unknown" : name;

    private static List<ReportCell> Row(ConntrackGroup group, bool hasCounters, double most)
    {
        List<ReportCell> cells =
        [
            new(NameOf(group)),
            Count(group.Count, group.Count / most),
            new(group.Percent.ToString("0.0", CultureInfo.InvariantCulture), group.Percent),
            Count(group.Assured),
            Count(group.Unreplied),
            Count(group.SynSent),
        ];
        if (hasCounters)
            cells.AddRange([Sum(group.TotalPackets, ""), Sum(group.TotalBytes, "B")]);
        return cells;
    }

    /// <summary>A service is written as tcp 443. Protocols without ports have their name alone.</summary>
    private static string NameOf(ConntrackGroup group)
    {
        IReadOnlyList<KeyValuePair<string, object?>> values = group.GetValues();
        return values[0].Value is IPProtocol protocol
            ? $"{ProtocolNames.ToKernel(protocol)} {(values.Count > 1 ? values[1].Value : null)}".TrimEnd()
            : Unknown(group.Name);
    }

    private static ReportCell Count(long count, double share = 0) => new(Amount.Count(count), count, share);

    private static ReportCell Sum(ulong? amount, string unit) => amount is { } known ? new(Amount.Of(known, unit).TrimEnd(), known) : new("");

    private static string Text(object value, string? unit) => value switch
    {
        bool isOn => isOn ? "on" : "off",
        string word => word,
        _ => $"{string.Create(CultureInfo.InvariantCulture, $"{value:N0}")} {unit}".TrimEnd(),
    };
}
