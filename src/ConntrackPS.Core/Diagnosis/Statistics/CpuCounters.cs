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
