using System.Globalization;

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

/// <summary>The kinds of conditions. Each is null where the filter asks for nothing of the kind.</summary>
internal static class FilterTerms
{
    public static FilterTerm? Flag(string property, string description, bool wanted, Func<ConntrackEntry, bool> matches) =>
        wanted ? new FilterTerm(property, description, matches) : null;

    public static FilterTerm? OneOf<T>(string property, string name, IReadOnlyList<T> values, Func<ConntrackEntry, T?> read)
        where T : struct
    {
        if (values.Count == 0)
            return null;
        string description = $"{name} {Join(values)}";
        if (values.Count == 1)
        {
            // By far the most usual, and several times faster than a look-up.
            T only = values[0];
            return new FilterTerm(
                property, description, entry => read(entry) is { } value && EqualityComparer<T>.Default.Equals(value, only));
        }

        HashSet<T> wanted = [.. values];
        return new FilterTerm(property, description, entry => read(entry) is { } value && wanted.Contains(value));
    }

    public static FilterTerm? Names(string property, string name, IReadOnlyList<string> values, Func<ConntrackEntry, string?> read) =>
        AnyOf(property, name, values, (entry, value) => string.Equals(read(entry), value, StringComparison.OrdinalIgnoreCase));

    public static FilterTerm? AtLeast(string property, string unit, ulong? least, Func<ConntrackEntry, ulong?> read) =>
        least is not { } amount
            ? null
            : new FilterTerm(
                property,
                string.Create(CultureInfo.InvariantCulture, $"at least {amount} {unit}"),
                entry => read(entry) >= amount,
                IsTrivial: amount == 0);

    public static FilterTerm? AnyOf<T>(
        string property, string name, IReadOnlyList<T> values, Func<ConntrackEntry, T, bool> matches, bool isTrivial = false) =>
        AnyOf(property, name, values, values, matches, isTrivial);

    /// <param name="property">The filter's property.</param>
    /// <param name="name">What it is called in a sentence.</param>
    /// <param name="shown">The values as they are shown.</param>
    /// <param name="values">The values, of which any may match.</param>
    /// <param name="matches">Decides on an entry and a value.</param>
    /// <param name="isTrivial">True where it lets every entry of a family through.</param>
    public static FilterTerm? AnyOf<T, TShown>(
        string property,
        string name,
        IReadOnlyList<TShown> shown,
        IReadOnlyList<T> values,
        Func<ConntrackEntry, T, bool> matches,
        bool isTrivial = false)
    {
        return values.Count == 0 ? null : new FilterTerm(property, $"{name} {Join(shown)}", Matches, isTrivial);

        bool Matches(ConntrackEntry entry)
        {
            for (int i = 0; i < values.Count; i++)
            {
                if (matches(entry, values[i]))
                    return true;
            }

            return false;
        }
    }

    /// <summary>True where the prefixes let every address of a family through, and so name none.</summary>
    public static bool HasWholeFamily(IReadOnlyList<AddressPrefix> prefixes) => prefixes.Any(prefix => prefix.Length == 0);

    /// <summary>True where the ranges let every port through, and so name none.</summary>
    public static bool HasAllPorts(IReadOnlyList<PortRange> ranges) =>
        ranges.Any(range => range is { First: 0, Last: ushort.MaxValue });

    private static string Join<T>(IReadOnlyList<T> values) => string.Join(" or ", values);
}
