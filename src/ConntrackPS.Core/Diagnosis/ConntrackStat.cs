using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>The fill of the connection-tracking table, and the kernel's counters summed over all processors.</summary>
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
        Time = reading.Time;
        Timestamp = reading.Timestamp;
    }

    /// <summary>The values that a text contains.</summary>
    internal ConntrackStat(CounterValues values, long? count)
        : base(values) => Count = count;

    /// <summary>Entries in the table of this network namespace (nf_conntrack_count); null if a text lacks it.</summary>
    public long? Count { get; }

    /// <summary>Entries allowed in each network namespace, 0 for no limit (nf_conntrack_max); null for statistics of a text, as all
    /// that follows from it.</summary>
    public long? Maximum { get; }

    /// <summary>Count as a percentage of Maximum. 0 if there is no limit.</summary>
    public double? FillPercent => Count is { } count && Maximum is { } maximum ? TableFill.Percent(count, maximum) : null;

    /// <summary>Size of the hash table that all network namespaces share (nf_conntrack_buckets); null for statistics of a text.</summary>
    public long? Buckets { get; }

    /// <summary>The average number of entries in a hash chain. Each entry is in two chains, one per direction. Entries of other network
    /// namespaces are not included.</summary>
    public double? AverageChainLength =>
        Count is { } count && Buckets is { } buckets ? (buckets == 0 ? 0 : Math.Round(2.0 * count / buckets, 2)) : null;

    /// <summary>The approximate kernel memory of the entries and the hash table, in bytes.</summary>
    public long? EstimatedMemoryBytes => Count is { } count && Buckets is { } buckets ? EntryMemory.Estimate(count, buckets) : null;

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The time of the reading, local time; null for statistics of a text.</summary>
    public DateTime? Time { get; }

    /// <summary>The same time by a monotonic clock (<see cref="System.Diagnostics.Stopwatch"/>).</summary>
    internal long? Timestamp { get; }

    /// <summary>Reads the values of a network namespace. Requires privilege only to enter another namespace.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static ConntrackStat Read(NetworkNamespace? networkNamespace = null) => new(StatReading.Read(networkNamespace));

    /// <summary>Reads the values of the caller's own namespace and of all named namespaces that can be entered.</summary>
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

/// <summary>The kernel's counters of one processor, as <c>conntrack -S</c> shows them.</summary>
public sealed class ConntrackCpuStat : ConntrackCounters
{
    private ConntrackCpuStat(CpuCounters processor, string? networkNamespace)
        : base(CounterValues.Sum(processor)) => (Cpu, Namespace) = (processor.Cpu, networkNamespace);

    /// <summary>The values that a text contains.</summary>
    internal ConntrackCpuStat(CounterValues values, int cpu)
        : base(values) => Cpu = cpu;

    /// <summary>The processor's number, from 0.</summary>
    public int Cpu { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>Reads the counters of a network namespace. Requires privilege only to enter another namespace.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <returns>One object for each possible processor of the machine.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static IReadOnlyList<ConntrackCpuStat> Read(NetworkNamespace? networkNamespace = null)
    {
        StatReading reading = StatReading.Read(networkNamespace);
        return [.. reading.Processors.Select(processor => new ConntrackCpuStat(processor, reading.Namespace))];
    }
}

/// <summary>The kernel's counters since boot, or since the network namespace was created. Null if this kernel does not have the
/// counter.</summary>
/// <remarks>struct ip_conntrack_stat; CTA_STATS_* and CTA_STATS_EXP_* of linux/netfilter/nfnetlink_conntrack.h. The kernel keeps 32 bits
/// per processor, which wrap around. Rates take this into account, so use them for changes.</remarks>
public abstract class ConntrackCounters
{
    private readonly CounterValues _values;
    private ExtraWords? _extra;

    private protected ConntrackCounters(CounterValues values) => _values = values;

    /// <summary>All counters.</summary>
    internal CounterValues Values => _values;

    /// <summary>Tuples that NAT found already in use (found).</summary>
    public ulong? Found => _values[Counter.Found];

    /// <summary>Packets that belong to no connection and can't start one (invalid).</summary>
    public ulong? Invalid => _values[Counter.Invalid];

    /// <summary>Entries inserted by netlink. Entries that packets create are not counted (insert).</summary>
    public ulong? Insert => _values[Counter.Insert];

    /// <summary>Entries that were not inserted because their tuple was already in use (insert_failed).</summary>
    public ulong? InsertFailed => _values[Counter.InsertFailed];

    /// <summary>Packets dropped because the table was full, memory was short, or a clash could not be resolved (drop).</summary>
    public ulong? Drop => _values[Counter.Drop];

    /// <summary>Entries deleted to make room in a full table. Assured entries are never deleted (early_drop).</summary>
    public ulong? EarlyDrop => _values[Counter.EarlyDrop];

    /// <summary>Packets that a protocol's check rejected, including ICMP errors (error, icmp_error).</summary>
    public ulong? Error => _values[Counter.Error];

    /// <summary>Lookups that restarted because the table was resized or an entry moved (search_restart).</summary>
    public ulong? SearchRestart => _values[Counter.SearchRestart];

    /// <summary>Resolved clashes of two packets that started the same connection (clash_resolve; Linux 5.10).</summary>
    public ulong? ClashResolve => _values[Counter.ClashResolve];

    /// <summary>Entries refused because their hash chain was too long (chaintoolong; Linux 5.15).</summary>
    public ulong? ChainTooLong => _values[Counter.ChainTooLong];

    /// <summary>Connections that matched an expectation (expect_new).</summary>
    public ulong? ExpectationNew => _values[Counter.ExpectationNew];

    /// <summary>Expectations created (expect_create).</summary>
    public ulong? ExpectationCreate => _values[Counter.ExpectationCreate];

    /// <summary>Expectations deleted (expect_delete).</summary>
    public ulong? ExpectationDelete => _values[Counter.ExpectationDelete];

    /// <summary>Values of a text that have no other property, by their names in the text, such as entries and searched of
    /// /proc/net/stat/nf_conntrack. Null if there are none, and for values of the kernel.</summary>
    public IReadOnlyDictionary<string, string>? Extra
    {
        get => _extra;
        internal set => _extra = ExtraWords.Of(value);
    }
}
