using ConntrackPS.Diagnosis.Statistics;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>Rates of a network namespace's counters, from one reading to the next.</summary>
/// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
/// <remarks>For one thread at a time.</remarks>
internal sealed class StatSampler(NetworkNamespace? networkNamespace = null)
{
    private StatReading _last = StatReading.Read(networkNamespace);

    /// <summary>The rates since the last call, or since the sampler was made.</summary>
    /// <param name="perCpu">Whether each processor has an object of its own.</param>
    /// <returns>Nothing where another namespace has taken the name since: its counters began anew.</returns>
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
