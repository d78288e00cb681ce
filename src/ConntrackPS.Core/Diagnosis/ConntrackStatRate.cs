using System.Diagnostics;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>The kernel's counters over an interval, per second. Correct even if counters wrapped around.</summary>
/// <remarks>The counters are those of <see cref="ConntrackCounters"/>.</remarks>
public sealed class ConntrackStatRate
{
    private readonly CounterValues _counted;
    private readonly double _seconds;

    private ConntrackStatRate(StatReading earlier, StatReading later, int? cpu)
    {
        IReadOnlyList<CpuCounters> processors =
            cpu is null ? later.Processors : [.. later.Processors.Where(processor => processor.Cpu == cpu)];
        _counted = CounterValues.Since(earlier.Processors, processors);
        Time = later.Time;
        _seconds = Stopwatch.GetElapsedTime(earlier.Timestamp, later.Timestamp).TotalSeconds;
        Seconds = Math.Round(_seconds, 3);
        Cpu = cpu;
        Count = later.Count;
        CountChange = later.Count - earlier.Count;
        Namespace = later.Namespace;
    }

    /// <summary>The end of the interval, local time.</summary>
    public DateTime Time { get; }

    /// <summary>The measured length of the interval, in seconds.</summary>
    public double Seconds { get; }

    /// <summary>The processor, or null for the sum of all.</summary>
    public int? Cpu { get; }

    /// <summary>Entries in the table at the end of the interval.</summary>
    public long Count { get; }

    /// <summary>The change of that number during the interval.</summary>
    public long CountChange { get; }

    /// <summary>Tuples that NAT found already in use, per second.</summary>
    public double? FoundPerSecond => PerSecond(Counter.Found);

    /// <summary>Invalid packets per second.</summary>
    public double? InvalidPerSecond => PerSecond(Counter.Invalid);

    /// <summary>Entries inserted by netlink, per second.</summary>
    public double? InsertPerSecond => PerSecond(Counter.Insert);

    /// <summary>Entries not inserted, per second.</summary>
    public double? InsertFailedPerSecond => PerSecond(Counter.InsertFailed);

    /// <summary>Packets dropped per second.</summary>
    public double? DropPerSecond => PerSecond(Counter.Drop);

    /// <summary>Entries deleted to make room, per second.</summary>
    public double? EarlyDropPerSecond => PerSecond(Counter.EarlyDrop);

    /// <summary>Packets that a protocol's check rejected, per second.</summary>
    public double? ErrorPerSecond => PerSecond(Counter.Error);

    /// <summary>Lookups restarted per second.</summary>
    public double? SearchRestartPerSecond => PerSecond(Counter.SearchRestart);

    /// <summary>Clashes resolved per second.</summary>
    public double? ClashResolvePerSecond => PerSecond(Counter.ClashResolve);

    /// <summary>Entries refused because of a long hash chain, per second.</summary>
    public double? ChainTooLongPerSecond => PerSecond(Counter.ChainTooLong);

    /// <summary>Expected connections per second.</summary>
    public double? ExpectationNewPerSecond => PerSecond(Counter.ExpectationNew);

    /// <summary>Expectations created per second.</summary>
    public double? ExpectationCreatePerSecond => PerSecond(Counter.ExpectationCreate);

    /// <summary>Expectations deleted per second.</summary>
    public double? ExpectationDeletePerSecond => PerSecond(Counter.ExpectationDelete);

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The rates between two readings, summed over all processors.</summary>
    internal static ConntrackStatRate Between(StatReading earlier, StatReading later) => new(earlier, later, null);

    /// <summary>The rates between two readings, for each processor.</summary>
    internal static IEnumerable<ConntrackStatRate> PerCpu(StatReading earlier, StatReading later) =>
        later.Processors.Select(processor => new ConntrackStatRate(earlier, later, processor.Cpu));

    private double? PerSecond(Counter counter) =>
        _counted[counter] is { } counted && _seconds > 0 ? Math.Round(counted / _seconds, 2) : null;
}

/// <summary>Computes the rates of a network namespace's counters, from one reading to the next.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <remarks>Only one thread at a time may use it.</remarks>
internal sealed class StatSampler(NetworkNamespace? networkNamespace = null)
{
    private StatReading _last = StatReading.Read(networkNamespace);

    /// <summary>The rates since the last call, or since the sampler was created.</summary>
    /// <param name="perCpu">True for one object per processor.</param>
    /// <returns>Empty if another namespace has taken the name meanwhile, because its counters started from 0.</returns>
    /// <exception cref="NetworkNamespaceException">The namespace is gone.</exception>
    public IReadOnlyList<ConntrackStatRate> Sample(bool perCpu = false)
    {
        StatReading earlier = _last;
        _last = StatReading.Read(networkNamespace);
        if (_last.Made != earlier.Made)
            return [];
        return perCpu ? [.. ConntrackStatRate.PerCpu(earlier, _last)] : [ConntrackStatRate.Between(earlier, _last)];
    }
}
