using ConntrackPS.Diagnosis.Statistics;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>What the kernel has counted on one processor, as <c>conntrack -S</c> shows it.</summary>
public sealed class ConntrackCpuStat : ConntrackCounters
{
    private ConntrackCpuStat(CpuCounters processor, string? networkNamespace)
        : base(CounterValues.Sum(processor)) => (Cpu, Namespace) = (processor.Cpu, networkNamespace);

    /// <summary>The processor's number, from 0.</summary>
    public int Cpu { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>Reads the counters of a network namespace.</summary>
    /// <returns>One object for each processor that the machine may have.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    public static IReadOnlyList<ConntrackCpuStat> Read(NetworkNamespace? networkNamespace = null)
    {
        StatReading reading = StatReading.Read(networkNamespace);
        return [.. reading.Processors.Select(processor => new ConntrackCpuStat(processor, reading.Namespace))];
    }
}
