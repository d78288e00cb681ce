using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Statistics;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>How full the connection-tracking table is, and what the kernel has counted on all processors together.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst; reading needs no privilege.</remarks>
public sealed class ConntrackStat : ConntrackCounters
{
    internal ConntrackStat(StatReading reading)
        : base(CounterValues.Sum([.. reading.Processors]))
    {
        Count = reading.Count;
        Maximum = reading.Maximum;
        Buckets = reading.Buckets;
        Namespace = reading.Namespace;
    }

    /// <summary>Entries in the table of this network namespace (nf_conntrack_count).</summary>
    public long Count { get; }

    /// <summary>Entries allowed in each network namespace, 0 for no limit (nf_conntrack_max).</summary>
    public long Maximum { get; }

    /// <summary>Count as a share of Maximum, in percent; 0 without a limit.</summary>
    public double FillPercent => TableFill.Percent(Count, Maximum);

    /// <summary>Size of the hash table that all network namespaces share (nf_conntrack_buckets).</summary>
    public long Buckets { get; }

    /// <summary>Entries in a hash chain on average. Each entry is in two chains, once for either direction; those of
    /// other network namespaces come on top.</summary>
    public double AverageChainLength => Buckets == 0 ? 0 : Math.Round(2.0 * Count / Buckets, 2);

    /// <summary>Bytes of kernel memory that the entries and the hash table take, about.</summary>
    public long EstimatedMemoryBytes => EntryMemory.Estimate(Count, Buckets);

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>Reads the figures of a network namespace; it needs no privilege but to enter another one.</summary>
    /// <param name="networkNamespace">Which one; null for the caller's own.</param>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static ConntrackStat Read(NetworkNamespace? networkNamespace = null) => new(StatReading.Read(networkNamespace));

    /// <summary>Reads the figures of the caller's own namespace and of all that have a name and let themselves be entered.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    public static IEnumerable<ConntrackStat> ReadAll() =>
        NetworkNamespace.Names().Select(TryRead).OfType<ConntrackStat>().Prepend(Read());

    private static ConntrackStat? TryRead(string name)
    {
        try
        {
            return Read(NetworkNamespace.Parse(name));
        }
        catch (NetworkNamespaceException)
        {
            return null;
        }
    }
}

/// <summary>What the kernel has counted on one processor, as <c>conntrack -S</c> shows it.</summary>
public sealed class ConntrackCpuStat : ConntrackCounters
{
    private ConntrackCpuStat(CpuCounters processor, string? networkNamespace)
        : base(CounterValues.Sum(processor)) => (Cpu, Namespace) = (processor.Cpu, networkNamespace);

    /// <summary>The processor's number, from 0.</summary>
    public int Cpu { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>Reads the counters of a network namespace; it needs no privilege but to enter another one.</summary>
    /// <param name="networkNamespace">Which one; null for the caller's own.</param>
    /// <returns>One object for each processor that the machine may have.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static IReadOnlyList<ConntrackCpuStat> Read(NetworkNamespace? networkNamespace = null)
    {
        StatReading reading = StatReading.Read(networkNamespace);
        return [.. reading.Processors.Select(processor => new ConntrackCpuStat(processor, reading.Namespace))];
    }
}
