using System.Management.Automation;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.History;

namespace ConntrackPS.Pipeline;

/// <summary>Reads the values of a table at one time: objects of Get-ConntrackStat and of a history, live or deserialised.</summary>
internal static class InputStat
{
    private const ulong NanosecondsPerTick = 100;

    /// <summary>True for an object with the count of a table, live or deserialised.</summary>
    public static bool IsStat(PSObject input) => input.BaseObject is ConntrackCounters
        || (input.BaseObject is PSCustomObject && input.Properties["Count"] is not null && input.Properties["FillPercent"] is not null);

    /// <exception cref="FormatException">The object has no such values; the message completes a sentence.</exception>
    public static ConntrackHistoryRecord Read(PSObject input) => input.BaseObject switch
    {
        ConntrackStat stat => ConntrackHistoryRecord.Of(stat),
        ConntrackStatRate rate => ConntrackHistoryRecord.Of(rate),
        ConntrackHistoryRecord record => record,
        ConntrackCpuStat => throw new FormatException("it is of one processor."),
        _ => ReadProperties(new PropertyBag(input)),
    };

    private static ConntrackHistoryRecord ReadProperties(PropertyBag properties)
    {
        if (properties.Text("Cpu") is not null)
            throw new FormatException("it is of one processor.");
        CounterValues counters = new();
        foreach (Counter counter in Enum.GetValues<Counter>())
            counters[counter] = properties.LongNumber(counter.ToString());
        return new ConntrackHistoryRecord(counters)
        {
            Time = properties.Time("Time", "Timestamp") is { } time ? DateTime.UnixEpoch.AddTicks((long)(time / NanosecondsPerTick)).ToLocalTime() : DateTime.Now,
            BootId = properties.Text("BootId"),
            Uptime = properties.Decimal("Uptime"),
            Count = Whole(properties, "Count") ?? throw new FormatException("it has no Count."),
            Maximum = Whole(properties, "Maximum"),
            Buckets = Whole(properties, "Buckets"),
            Namespace = properties.Namespace,
            TopSources = properties.Words("TopSources") is { } words ? SourceCounts.Parse(words.ToString()) : null,
        };
    }

    private static long? Whole(PropertyBag properties, string name) => properties.LongNumber(name) is { } number
        ? number <= long.MaxValue ? (long)number : throw new FormatException($"its {name} is too large.")
        : null;
}
