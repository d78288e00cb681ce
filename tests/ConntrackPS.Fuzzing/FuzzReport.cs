namespace ConntrackPS.Fuzzing;

/// <summary>The result of a run.</summary>
/// <param name="Cases">The number of mutants.</param>
/// <param name="Exceptions">The number of mutants that ended in an exception, by its type name.</param>
/// <param name="Failures">Unexpected results, with the mutant: at most <see cref="MaximumFailures"/>.</param>
/// <param name="Slowest">The longest time for one mutant.</param>
internal sealed record FuzzReport(
    long Cases, IReadOnlyDictionary<string, long> Exceptions, IReadOnlyList<string> Failures, TimeSpan Slowest)
{
    /// <summary>The number of failures after which a run ends.</summary>
    public const int MaximumFailures = 10;
}
