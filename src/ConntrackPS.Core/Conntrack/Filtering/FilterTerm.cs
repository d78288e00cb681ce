namespace ConntrackPS.Conntrack.Filtering;

/// <summary>One condition of a filter.</summary>
/// <param name="Property">The property of <see cref="ConntrackFilter"/> it comes from.</param>
/// <param name="Description">The condition as a person would say it.</param>
/// <param name="Matches">Decides on an entry, as it is at the moment of the call.</param>
/// <param name="IsTrivial">True where it lets every entry of a family through, such as 0.0.0.0/0: it names nothing.</param>
internal sealed record FilterTerm(
    string Property, string Description, Func<ConntrackEntry, bool> Matches, bool IsTrivial = false)
{
    /// <summary>Decides on an entry as it is at a time, in nanoseconds since 1970; null where time makes no difference.</summary>
    /// <remarks>A condition must not keep a time of its own: its filter may be in use for days.</remarks>
    public Func<ConntrackEntry, ulong, bool>? MatchesAt { get; init; }

    /// <summary>The time that the kernel's timestamps are compared with, in nanoseconds since 1970 (CLOCK_REALTIME).</summary>
    public static ulong Now() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
