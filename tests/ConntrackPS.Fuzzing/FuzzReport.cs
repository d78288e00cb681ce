namespace ConntrackPS.Fuzzing;

/// <summary>What came of a run.</summary>
/// <param name="Cases">How many mutants were read.</param>
/// <param name="Exceptions">How many ended in an exception, by its type's name.</param>
/// <param name="Failures">What should not have happened, with the mutant: at most <see cref="MaximumFailures"/>.</param>
/// <param name="Slowest">The longest that one mutant took.</param>
internal sealed record FuzzReport(
    long Cases, IReadOnlyDictionary<string, long> Exceptions, IReadOnlyList<string> Failures, TimeSpan Slowest)
{
    /// <summary>A run ends after so many failures.</summary>
    public const int MaximumFailures = 10;
}
