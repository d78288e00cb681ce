namespace ConntrackPS.Diagnosis.Statistics;

/// <summary>One processor's counters, of 32 bits each as the kernel keeps them: they wrap.</summary>
internal sealed class CpuCounters(int cpu)
{
    public static readonly int Count = Enum.GetValues<Counter>().Length;

    private readonly uint?[] _values = new uint?[Count];

    /// <summary>The processor's number.</summary>
    public int Cpu { get; } = cpu;

    /// <summary>A counter; null where this kernel has no such.</summary>
    public uint? this[Counter counter]
    {
        get => _values[(int)counter];
        set => _values[(int)counter] = value;
    }

    /// <summary>What has been counted since an earlier reading, as long as no counter went round twice.</summary>
    /// <returns>Null where either reading lacks the counter.</returns>
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

/// <summary>Counters of one processor, or of all together.</summary>
internal sealed class CounterValues
{
    private readonly ulong?[] _values = new ulong?[CpuCounters.Count];

    /// <summary>A counter; null where this kernel has no such.</summary>
    public ulong? this[Counter counter] => _values[(int)counter];

    /// <summary>The sum over processors. Each has its own 32 bits, so that the sum needs more.</summary>
    public static CounterValues Sum(params CpuCounters[] processors)
    {
        CounterValues sum = new();
        foreach (CpuCounters processor in processors)
            sum.Add(counter => processor[counter]);
        return sum;
    }

    /// <summary>What has been counted between two readings, wraps included.</summary>
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

    private void Add(Func<Counter, uint?> value)
    {
        for (int i = 0; i < _values.Length; i++)
        {
            if (value((Counter)i) is { } number)
                _values[i] = (_values[i] ?? 0) + number;
        }
    }
}
