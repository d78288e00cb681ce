using System.Diagnostics;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Diagnosis;

/// <summary>All values of one network namespace, read together.</summary>
/// <param name="Count">nf_conntrack_count.</param>
/// <param name="Maximum">nf_conntrack_max.</param>
/// <param name="Buckets">nf_conntrack_buckets.</param>
/// <param name="Processors">The counters of each processor.</param>
/// <param name="Time">The time of the reading.</param>
/// <param name="Timestamp">The same time by a monotonic clock (<see cref="Stopwatch"/>).</param>
/// <param name="Namespace">The namespace as the user named it, or null for the caller's own.</param>
/// <param name="Made">The creation time of the namespace, if known. Another namespace may take its name later.</param>
internal sealed record StatReading(
    long Count, long Maximum, long Buckets, IReadOnlyList<CpuCounters> Processors, DateTime Time, long Timestamp, string? Namespace, DateTime? Made)
{
    /// <summary>Reads the values of a network namespace.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static StatReading Read(NetworkNamespace? networkNamespace) => NetworkNamespace.RunIn(networkNamespace, () => new StatReading(
        TableFill.Figure("nf_conntrack_count"),
        TableFill.Figure("nf_conntrack_max"),
        TableFill.Figure("nf_conntrack_buckets"),
        ReadCounters(),
        DateTime.Now,
        Stopwatch.GetTimestamp(),
        networkNamespace?.Name,
        networkNamespace?.Made));

    /// <summary>Netlink works without /proc/net/stat, and /proc/net/stat works without privilege. Both have the same counters.</summary>
    private static IReadOnlyList<CpuCounters> ReadCounters()
    {
        try
        {
            using NetlinkConnection connection = NetlinkConnection.Open();
            return NetlinkCounterReader.Read(connection);
        }
        catch (NetlinkException)
        {
            return ProcCounterReader.Read();
        }
    }
}

/// <summary>One processor's counters. They have 32 bits, as in the kernel, and wrap around.</summary>
internal sealed class CpuCounters(int cpu)
{
    public static readonly int Count = Enum.GetValues<Counter>().Length;

    private readonly uint?[] _values = new uint?[Count];

    /// <summary>The processor's number.</summary>
    public int Cpu { get; } = cpu;

    /// <summary>A counter, or null if this kernel does not have it.</summary>
    public uint? this[Counter counter]
    {
        get => _values[(int)counter];
        set => _values[(int)counter] = value;
    }

    /// <summary>The increase since an earlier reading, correct if the counter wrapped around at most once.</summary>
    /// <returns>Null if one of the readings lacks the counter.</returns>
    public uint? Since(CpuCounters earlier, Counter counter) => unchecked(this[counter] - earlier[counter]);
}

/// <summary>The counters that the kernel keeps for each processor (struct ip_conntrack_stat).</summary>
internal enum Counter
{
    Found,
    Invalid,
    Insert,
    InsertFailed,
    Drop,
    EarlyDrop,
    Error,
    SearchRestart,
    ClashResolve,
    ChainTooLong,
    ExpectationNew,
    ExpectationCreate,
    ExpectationDelete,
}

/// <summary>Counters of one processor, or their sums.</summary>
internal sealed class CounterValues
{
    private readonly ulong?[] _values = new ulong?[CpuCounters.Count];

    /// <summary>A counter; null if this kernel has no such.</summary>
    public ulong? this[Counter counter]
    {
        get => _values[(int)counter];
        internal set => _values[(int)counter] = value;
    }

    /// <summary>The sums over processors. Each processor has 32 bits, so the sum needs more.</summary>
    public static CounterValues Sum(params CpuCounters[] processors)
    {
        CounterValues sum = new();
        foreach (CpuCounters processor in processors)
            sum.Add(counter => processor[counter]);
        return sum;
    }

    /// <summary>The increase between two readings, including wraps.</summary>
    public static CounterValues Since(IReadOnlyList<CpuCounters> earlier, IReadOnlyList<CpuCounters> later)
    {
        CounterValues sum = new();
        foreach (CpuCounters now in later)
        {
            if (earlier.FirstOrDefault(before => before.Cpu == now.Cpu) is { } before)
                sum.Add(counter => now.Since(before, counter));
        }

        return sum;
    }

    /// <summary>The increase since earlier sums. A sum can be lower, because the counter of a processor has wrapped around at 32 bits.</summary>
    /// <returns>Null if the counters started from 0 again, as in another network namespace that took the name.</returns>
    public CounterValues? Since(CounterValues earlier)
    {
        const ulong Wrap = 1UL << 32;
        CounterValues increase = new();
        for (int i = 0; i < _values.Length; i++)
        {
            if (_values[i] is not { } now || earlier._values[i] is not { } before)
                continue;
            if (now < before && before - now < Wrap / 2)
                return null;
            increase._values[i] = now >= before ? now - before : now + Wrap - before;
        }

        return increase;
    }

    private void Add(Func<Counter, uint?> value)
    {
        for (int i = 0; i < _values.Length; i++)
        {
            if (value((Counter)i) is { } number)
                _values[i] = (_values[i] ?? 0) + number;
        }
    }
}
