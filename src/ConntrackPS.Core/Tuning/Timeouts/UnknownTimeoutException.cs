namespace ConntrackPS.Tuning.Timeouts;

/// <summary>A protocol has no timeout for a state.</summary>
/// <param name="protocols">The protocol, or several of which none has it.</param>
/// <param name="state">What was asked for; null for no state.</param>
/// <param name="choices">The states there are; none for a protocol with one timeout.</param>
internal sealed class UnknownTimeoutException(IReadOnlyList<TimeoutProtocol> protocols, string? state, IReadOnlyList<TimeoutState> choices)
    : Exception(Describe(protocols, state, choices))
{
    /// <summary>The states that there are timeouts for.</summary>
    public IReadOnlyList<TimeoutState> Choices { get; } = choices;

    private static string Describe(IReadOnlyList<TimeoutProtocol> protocols, string? state, IReadOnlyList<TimeoutState> choices)
    {
        string who = string.Join(", ", protocols);
        if (choices.Count == 0)
            return $"{who} has one timeout and no states: leave '{state}' out.";
        string problem = string.IsNullOrWhiteSpace(state) ? $"{who} has a timeout for each state: name one." : $"{who}: there is no timeout for a state '{state}'.";
        return $"{problem} The states are {string.Join(", ", choices)}.";
    }
}
