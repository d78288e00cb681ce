using System.Diagnostics;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>The fill of the table and the kernel's counters at the end of an interval, and the counters over the interval, per second.
/// The rates are correct even if counters wrapped around.</summary>
public sealed class ConntrackStatRate : ConntrackCounterRates
{
    private ConntrackStatRate(StatReading earlier, StatReading later, int? cpu)
        : this(earlier, later, cpu, cpu is null ? later.Processors : [.. later.Processors.Where(processor => processor.Cpu == cpu)])
    {
    }

    private ConntrackStatRate(StatReading earlier, StatReading later, int? cpu, IReadOnlyList<CpuCounters> processors)
        : base(
            CounterValues.Sum([.. processors]),
            CounterValues.Since(earlier.Processors, processors),
            Stopwatch.GetElapsedTime(earlier.Timestamp, later.Timestamp).TotalSeconds)
    {
        Time = later.Time;
        Timestamp = later.Timestamp;
        Seconds = Math.Round(Stopwatch.GetElapsedTime(earlier.Timestamp, later.Timestamp).TotalSeconds, 3);
        Cpu = cpu;
        Count = later.Count;
        CountChange = later.Count - earlier.Count;
        Maximum = later.Maximum;
        Buckets = later.Buckets;
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

    /// <summary>Entries allowed in each network namespace, 0 for no limit (nf_conntrack_max).</summary>
    public long Maximum { get; }

    /// <summary>Count as a percentage of Maximum. 0 if there is no limit.</summary>
    public double FillPercent => TableFill.Percent(Count, Maximum);

    /// <summary>Size of the hash table that all network namespaces share (nf_conntrack_buckets).</summary>
    public long Buckets { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The end of the interval, by a monotonic clock (<see cref="Stopwatch"/>).</summary>
    internal long Timestamp { get; }

    /// <summary>The rates between two readings, summed over all processors.</summary>
    internal static ConntrackStatRate Between(StatReading earlier, StatReading later) => new(earlier, later, null);

    /// <summary>The rates between two readings, for each processor.</summary>
    internal static IEnumerable<ConntrackStatRate> PerCpu(StatReading earlier, StatReading later) =>
        later.Processors.Select(processor => new ConntrackStatRate(earlier, later, processor.Cpu));
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
