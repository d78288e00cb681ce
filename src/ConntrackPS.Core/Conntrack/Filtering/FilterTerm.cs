namespace ConntrackPS.Conntrack.Filtering;

/// <summary>One condition of a filter.</summary>
/// <param name="Property">The property of <see cref="ConntrackFilter"/> it comes from.</param>
/// <param name="Description">The condition as a person would say it.</param>
/// <param name="Matches">Decides on an entry.</param>
/// <param name="IsTrivial">True where it lets every entry of a family through, such as 0.0.0.0/0: it names nothing.</param>
internal sealed record FilterTerm(
    string Property, string Description, Func<ConntrackEntry, bool> Matches, bool IsTrivial = false);
