namespace ConntrackPS.Tuning.Timeouts;

/// <summary>A protocol has no timeout for a state.</summary>
/// <param name="protocol">The protocol.</param>
/// <param name="state">What was asked for; null for no state.</param>
/// <param name="choices">The states it has; none for a protocol with one timeout.</param>
public sealed class UnknownTimeoutException(TimeoutProtocol protocol, string? state, IReadOnlyList<TimeoutState> choices)
    : Exception(Describe(protocol, state, choices))
{
    /// <summary>The states that the protocol has a timeout for.</summary>
    public IReadOnlyList<TimeoutState> Choices { get; } = choices;

    private static string Describe(TimeoutProtocol protocol, string? state, IReadOnlyList<TimeoutState> choices)
    {
        if (choices.Count == 0)
            return $"{protocol} has one timeout and no states; '{state}' is none of it.";
        string problem = string.IsNullOrWhiteSpace(state) ? $"{protocol} has a timeout for each state." : $"{protocol} has no timeout for a state '{state}'.";
        return $"{problem} Its states are {string.Join(", ", choices)}.";
    }
}
