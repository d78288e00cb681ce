using ConntrackPS.Diagnosis.History;

namespace ConntrackPS.Reporting;

/// <summary>The times of records for a chart. The last record of a boot has the best wall clock, and the time since boot dates the ones before
/// it. So a clock that was set meanwhile does not bend the line.</summary>
internal static class HistoryClock
{
    /// <summary>The time of each record, local time. It never goes back.</summary>
    public static DateTime[] TimesOf(IReadOnlyList<ConntrackHistoryRecord> records)
    {
        Dictionary<string, ConntrackHistoryRecord> last = new(StringComparer.Ordinal);
        foreach (ConntrackHistoryRecord record in records)
        {
            if (record is { BootId: { } boot, Uptime: not null })
                last[boot] = record;
        }

        DateTime[] times = new DateTime[records.Count];
        for (int i = 0; i < times.Length; i++)
        {
            ConntrackHistoryRecord record = records[i];
            times[i] = record is { BootId: { } boot, Uptime: { } uptime } ? last[boot].Time.AddSeconds(uptime - last[boot].Uptime!.Value) : record.Time;
            if (i > 0 && times[i] < times[i - 1])
                times[i] = times[i - 1];
        }

        return times;
    }
}
