using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;

namespace ConntrackPS.Alerts;

/// <summary>Raises an alert if the fill passes a limit, and clears it below a lower one, so that a fill around the limit makes one
/// alert.</summary>
/// <param name="above">The upper limit, in percent.</param>
/// <param name="below">The lower limit, in percent.</param>
internal sealed class FillAlertRule(double above, double below)
{
    private bool _isRaised;

    public IEnumerable<ConntrackAlert> Check(StatReading reading)
    {
        double? fill = reading.Maximum == 0 ? null : 100.0 * reading.Count / reading.Maximum;
        if (_isRaised ? fill >= below : !(fill > above))
            yield break;
        _isRaised = !_isRaised;
        double limit = _isRaised ? above : below;
        string evidence = fill is { } percent
            ? string.Create(CultureInfo.InvariantCulture, $"{reading.Count} of {Counted.Entries(reading.Maximum)}, {percent:0.####} %, {(_isRaised ? "above" : "below")} {limit:0.####} %")
            : $"{Counted.Entries(reading.Count)}, and there is no maximum";
        yield return new ConntrackAlert(AlertKind.Fill, _isRaised ? AlertState.Raised : AlertState.Cleared, reading.Time, evidence, reading.Namespace)
        {
            Value = fill is { } value ? Math.Round(value, 4) : null,
            Limit = limit,
        };
    }
}

/// <summary>Raises an alert if the kernel's counters of drops grow, and clears it after a time without growth.</summary>
/// <param name="quietTime">The time without growth.</param>
internal sealed class DropAlertRule(TimeSpan quietTime)
{
    private StatReading? _last;
    private bool _isRaised;
    private long _lastGrowth;
    private ulong _total;

    public IEnumerable<ConntrackAlert> Check(StatReading reading)
    {
        StatReading? before = _last;
        _last = reading;

        // Another namespace may have taken the name. Its counters started from 0.
        IReadOnlyList<(string Name, ulong Count)> grown = before is null || before.Made != reading.Made ? [] : CounterGrowth.Between(before, reading);
        ulong sum = grown.Aggregate(0UL, (all, each) => all + each.Count);
        if (sum > 0)
        {
            (_lastGrowth, _total) = (reading.Timestamp, _total + sum);
            if (_isRaised)
                yield break;
            _isRaised = true;
            double seconds = Stopwatch.GetElapsedTime(before!.Timestamp, reading.Timestamp).TotalSeconds;
            string counters = string.Join(", ", grown.Select(each => FormattableString.Invariant($"{each.Name} +{each.Count}")));
            yield return Alert(reading, AlertState.Raised, sum, FormattableString.Invariant($"{counters} in {seconds:0.#} s"));
        }
        else if (_isRaised && Stopwatch.GetElapsedTime(_lastGrowth, reading.Timestamp) >= quietTime)
        {
            ulong total = _total;
            (_isRaised, _total) = (false, 0);
            yield return Alert(reading, AlertState.Cleared, total, FormattableString.Invariant($"no drops for {quietTime.TotalSeconds:0.#} s, after {total}"));
        }
    }

    private static ConntrackAlert Alert(StatReading reading, AlertState state, ulong value, string evidence) =>
        new(AlertKind.Drop, state, reading.Time, evidence, reading.Namespace) { Value = value };
}

/// <summary>The growth of the counters of drops. They have 32 bits per processor, which wrap around, and start from 0 when the kernel module
/// is loaded again.</summary>
internal static class CounterGrowth
{
    /// <summary>More packets than a processor can handle, per second. A larger growth is a restart from 0.</summary>
    private const double MostPerSecond = 50_000_000;

    private static readonly (Counter Counter, string Name)[] Drops =
        [(Counter.Drop, "drop"), (Counter.EarlyDrop, "early_drop"), (Counter.InsertFailed, "insert_failed")];

    /// <summary>The counters that grew, with the names of <c>conntrack -S</c>.</summary>
    public static IReadOnlyList<(string Name, ulong Count)> Between(StatReading before, StatReading now)
    {
        double most = MostPerSecond * Math.Max(1, Stopwatch.GetElapsedTime(before.Timestamp, now.Timestamp).TotalSeconds);
        return
        [
            .. from drop in Drops
               let growth = now.Processors.Aggregate(0UL, (sum, processor) => sum + Of(before, processor, drop.Counter, most))
               where growth > 0
               select (drop.Name, growth),
        ];
    }

    private static ulong Of(StatReading before, CpuCounters now, Counter counter, double most)
    {
        CpuCounters? earlier = before.Processors.FirstOrDefault(processor => processor.Cpu == now.Cpu);
        return earlier is null || now.Since(earlier, counter) is not { } growth ? 0 : growth <= most ? growth : now[counter]!.Value;
    }
}

/// <summary>Raises an alert for each finding that appears, and clears it when the finding disappears.</summary>
/// <param name="isWanted">True for findings that make alerts.</param>
internal sealed class FindingAlertRule(Func<HealthFinding, bool> isWanted)
{
    private readonly HashSet<string> _active = new(StringComparer.Ordinal);

    /// <param name="findings">The findings of one check, most severe first. Several may have the same name.</param>
    /// <param name="isComplete">False if some values could not be read: a finding may only seem to be over then.</param>
    /// <param name="time">The time of the check.</param>
    /// <param name="networkNamespace">The namespace of the check.</param>
    public IEnumerable<ConntrackAlert> Check(IReadOnlyList<HealthFinding> findings, bool isComplete, DateTime time, string? networkNamespace)
    {
        ILookup<string, HealthFinding> wanted = findings.Where(isWanted).ToLookup(finding => finding.Name);
        foreach (IGrouping<string, HealthFinding> same in wanted.Where(same => _active.Add(same.Key)))
        {
            string others = same.Count() == 1 ? "" : $" And {Counted.Of(same.Count() - 1, "similar finding", "similar findings")}.";
            yield return Alert(same.Key, AlertState.Raised, $"{same.First().Evidence}{others}");
        }

        foreach (string over in isComplete ? _active.Where(name => !wanted.Contains(name)).ToArray() : [])
        {
            _active.Remove(over);
            yield return Alert(over, AlertState.Cleared, "The health check no longer finds it.");
        }

        ConntrackAlert Alert(string name, AlertState state, string evidence) =>
            new(AlertKind.Finding, state, time, evidence, networkNamespace) { Finding = name };
    }
}

/// <summary>Raises an alert if the values can't be read, and clears it when they can.</summary>
internal sealed class ReadingAlertRule
{
    private bool _isRaised;

    public IEnumerable<ConntrackAlert> Check(Exception? failure, string? networkNamespace)
    {
        if (_isRaised == failure is not null)
            yield break;
        _isRaised = failure is not null;
        yield return new ConntrackAlert(
            AlertKind.Reading, _isRaised ? AlertState.Raised : AlertState.Cleared, DateTime.Now, failure?.Message ?? "The values can be read again.", networkNamespace);
    }
}
