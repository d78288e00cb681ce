using System.Globalization;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>The reason why no entry can match a filter: one property that no entry can match, or two that no entry can match
/// together.</summary>
/// <param name="Properties">The one or two properties.</param>
/// <param name="Reason">A sentence with placeholders {0} and {1} for the properties.</param>
public sealed record FilterContradiction(IReadOnlyList<string> Properties, string Reason)
{
    /// <summary>The sentence with the user's names for the properties.</summary>
    /// <param name="nameOf">Converts a property name to the user's name.</param>
    internal string Describe(Func<string, string> nameOf)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        return string.Format(CultureInfo.InvariantCulture, Reason, [.. Properties.Select(nameOf)]);
    }

    /// <summary>The sentence, with the names of the properties.</summary>
    public override string ToString() => Describe(property => property);
}

/// <summary>Detects filters that no entry can match. It uses only facts about entries, never probability: all addresses of an entry have
/// one family, a protocol has ports or does not, and so on.</summary>
internal static class ContradictionFinder
{
    private static readonly IPProtocol[] WithStates = [IPProtocol.Tcp, IPProtocol.Sctp, IPProtocol.Dccp];

    public static FilterContradiction? Find(ConntrackFilter filter) =>
        OfFamilies(filter) ?? OfProtocols(filter) ?? OfPlaces(filter) ?? OfZones(filter) ?? OfStatus(filter) ?? OfTimeouts(filter) ?? OfExclusions(filter);

    /// <summary>Finds addresses that can't belong to one connection, because a connection has one family.</summary>
    /// <param name="family">The family of the filter, or Unspecified for both.</param>
    /// <param name="addresses">The addresses of each property.</param>
    public static FilterContradiction? OfFamilies(IPFamily family, params (string Property, IReadOnlyList<AddressPrefix> Prefixes)[] addresses) =>
        FirstDisjoint(
            [
                (nameof(ConntrackFilter.AddressFamily), family == IPFamily.Unspecified ? [] : [family]),
                .. addresses.Select(pair => (pair.Property, (IReadOnlyList<IPFamily>)[.. pair.Prefixes.Select(prefix => prefix.Family).Distinct()])),
            ],
            (first, second) => first == second,
            family => family.ToString(),
            "{{0}} needs {0}, {{1}} needs {1}, and a connection has one address family");

    /// <summary>Finds conditions that no protocol can match together.</summary>
    /// <param name="demands">The protocols that each property allows. Empty if the property is not set.</param>
    public static FilterContradiction? OfProtocols(params (string Property, IReadOnlyList<IPProtocol> Protocols)[] demands) =>
        FirstDisjoint(
            demands, (first, second) => first == second, ProtocolNames.ToKernel,
            "{{0}} matches only {0}, {{1}} only {1}");

    /// <summary>The protocols that a condition on ports of expectations allows. These ports may be an ICMP id or GRE keys.</summary>
    public static (string Property, IReadOnlyList<IPProtocol> Protocols) PortsOrKeys(string property, IReadOnlyList<PortRange> ranges) =>
        (property, ranges.Count == 0 ? [] : [.. TupleProperties.WithPorts, IPProtocol.Gre, .. TupleProperties.Icmp]);

    private static FilterContradiction? OfFamilies(ConntrackFilter filter) =>
        OfFamilies(filter.AddressFamily, [.. TupleProperties.Addresses.Select(property => (property.Name, property.Of(filter)))]);

    private static FilterContradiction? OfProtocols(ConntrackFilter filter) => OfProtocols(
    [
        (nameof(filter.Protocol), filter.Protocol),
        .. TupleProperties.All.Where(property => property.IsAsked(filter)).Select(property => (property.Name, property.Protocols)),
        (nameof(filter.State), [.. WithStates.Where(protocol => filter.State.Any(state => ConntrackStates.ToKernel(protocol, state) is not null))]),
    ]);

    /// <summary>The translated address of an end is the address of the reply in that place.</summary>
    private static FilterContradiction? OfPlaces(ConntrackFilter filter)
    {
        foreach (TupleProperty translated in TupleProperties.All.Where(property => property is { IsTranslated: true, HasOnePlace: true } && property.IsAsked(filter)))
        {
            FilterContradiction? found = translated switch
            {
                AddressProperty address => FirstDisjoint(
                    Demands(address, TupleProperties.AddressIn(address.Places), filter),
                    (one, other) => one.Contains(other.Family, other.Address) || other.Contains(one.Family, one.Address),
                    prefix => prefix.ToString(),
                    SamePlace),
                PortProperty port => FirstDisjoint(
                    Demands(port, TupleProperties.PortIn(port.Places), filter),
                    (one, other) => one.First <= other.Last && other.First <= one.Last,
                    range => range.ToString(),
                    SamePlace),
                _ => null,
            };
            if (found is not null)
                return found;
        }

        return null;

        static (string Property, IReadOnlyList<T> Values)[] Demands<T>(TupleProperty<T> first, TupleProperty<T> second, ConntrackFilter filter) =>
            [(first.Name, first.Of(filter)), (second.Name, second.Of(filter))];
    }

    private const string SamePlace = "{{0}} needs {0}, {{1}} needs {1}, and both are the same field";

    /// <summary>An entry has only one zone, for both directions or for one.</summary>
    private static FilterContradiction? OfZones(ConntrackFilter filter)
    {
        if (filter is { OriginalZone.Count: > 0, ReplyZone.Count: > 0 })
        {
            return new FilterContradiction(
                [nameof(filter.OriginalZone), nameof(filter.ReplyZone)], "{0} needs a zone of one direction, {1} a zone of the other, and an entry has one zone");
        }

        return FirstDisjoint(
            [(nameof(filter.Zone), filter.Zone), (nameof(filter.OriginalZone), filter.OriginalZone), (nameof(filter.ReplyZone), filter.ReplyZone)],
            (first, second) => first == second,
            zone => zone.ToString(CultureInfo.InvariantCulture),
            "{{0}} needs zone {0}, {{1}} needs zone {1}, and an entry has one zone");
    }

    private static FilterContradiction? OfStatus(ConntrackFilter filter)
    {
        if (((filter.Status & filter.ExcludeStatus) ?? ConntrackStatus.None) is var both && both != ConntrackStatus.None)
            return new FilterContradiction([nameof(filter.Status), nameof(filter.ExcludeStatus)], $"{{0}} needs {both}, and {{1}} excludes it");
        return filter.Unreplied && (filter.Status & ConntrackStatus.SeenReply) == ConntrackStatus.SeenReply
            ? new FilterContradiction([nameof(filter.Unreplied), nameof(filter.Status)], "{0} excludes SeenReply, and {1} needs it")
            : null;
    }

    private static FilterContradiction? OfTimeouts(ConntrackFilter filter)
    {
        if (filter.TimeoutBelow == 0)
            return new FilterContradiction([nameof(filter.TimeoutBelow)], "{0} needs less than 0 seconds, and no entry has that");
        return filter is { TimeoutBelow: { } below, TimeoutAbove: { } above } && (ulong)above + 1 >= below
            ? new FilterContradiction(
                [nameof(filter.TimeoutBelow), nameof(filter.TimeoutAbove)],
                string.Create(CultureInfo.InvariantCulture, $"{{0}} needs less than {below} seconds, {{1}} more than {above}, and no whole number is both"))
            : null;
    }

    /// <summary>Finds values that are both required and excluded. Does not compare different properties, because an entry may have
    /// different values there.</summary>
    private static FilterContradiction? OfExclusions(ConntrackFilter filter) =>
        (from excluded in filter.Exclude
         where excluded.Terms.Length == 1
         from name in TupleProperties.All.Where(property => property.HasOnePlace && property.IsWithin(filter, excluded)).Select(property => property.Name)
             .Concat(OfOthers.Where(property => property.IsWithin(filter, excluded)).Select(property => property.Name))
         select new FilterContradiction([name, "Exclude" + name], "{1} excludes everything that {0} needs")).FirstOrDefault();

    /// <summary>Properties besides those of tuples that can be left out, and whether all that a filter asks for is left out.</summary>
    private static readonly (string Name, Func<ConntrackFilter, ConntrackFilter, bool> IsWithin)[] OfOthers =
    [
        (nameof(ConntrackFilter.Protocol), (asked, left) => IsWithin(asked.Protocol, left.Protocol)),
        (nameof(ConntrackFilter.State), (asked, left) => IsWithin(asked.State, left.State)),
        (nameof(ConntrackFilter.Mark), (asked, left) => IsWithin(asked.Mark, left.Mark)),
        (nameof(ConntrackFilter.Label), (asked, left) => IsWithin(asked.Label, left.Label)),
        (nameof(ConntrackFilter.Helper), (asked, left) => IsWithin(asked.Helper, left.Helper, StringComparer.OrdinalIgnoreCase)),
        (nameof(ConntrackFilter.Zone), (asked, left) => IsWithin(asked.Zone, left.Zone)),
    ];

    private static bool IsWithin<T>(IReadOnlyList<T> asked, IReadOnlyList<T> left, IEqualityComparer<T>? comparer = null) =>
        asked.Count > 0 && asked.All(value => left.Contains(value, comparer));

    /// <summary>The first two of several conditions on the same value that allow no common value.</summary>
    /// <param name="demands">The values that each property allows. Empty if the property is not set.</param>
    /// <param name="overlaps">True if two values are compatible.</param>
    /// <param name="show">Converts a value to text.</param>
    /// <param name="reason">The sentence: {0} and {1} are the values, {{0}} and {{1}} the properties.</param>
    private static FilterContradiction? FirstDisjoint<T>(
        (string Property, IReadOnlyList<T> Values)[] demands, Func<T, T, bool> overlaps, Func<T, string> show, string reason)
    {
        for (int i = 0; i < demands.Length; i++)
        {
            for (int j = i + 1; j < demands.Length; j++)
            {
                ((string first, IReadOnlyList<T> firsts), (string second, IReadOnlyList<T> seconds)) = (demands[i], demands[j]);
                if (firsts.Count > 0 && seconds.Count > 0 && !firsts.Any(one => seconds.Any(other => overlaps(one, other))))
                {
                    string sentence = string.Format(CultureInfo.InvariantCulture, reason, Join(firsts), Join(seconds));
                    return new FilterContradiction([first, second], sentence);
                }
            }
        }

        return null;

        string Join(IReadOnlyList<T> values) => string.Join(" or ", values.Select(show));
    }
}
