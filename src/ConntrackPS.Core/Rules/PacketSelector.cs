using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>The packets of the traffic that a filter names, as rules see them: by their own addresses, ports and protocol, without an
/// entry.</summary>
/// <remarks>A filter's source is the source of packets of the original direction, and the destination of replies.</remarks>
internal sealed class PacketSelector
{
    private PacketSelector(ConntrackFilter filter)
    {
        Original = Combine(filter, isReply: false);
        Reply = Combine(filter, isReply: true);
    }

    /// <summary>Alternatives, each a list of conditions, that match the packets of the original direction.</summary>
    public IReadOnlyList<IReadOnlyList<PacketCondition>> Original { get; }

    /// <summary>Alternatives that match the packets of replies.</summary>
    public IReadOnlyList<IReadOnlyList<PacketCondition>> Reply { get; }

    /// <summary>Selects the packets of a filter.</summary>
    /// <exception cref="UnsupportedConditionException">The filter has a condition on something that packets do not have.</exception>
    public static PacketSelector Of(ConntrackFilter filter)
    {
        foreach (FilterTerm term in filter.Terms)
        {
            if (!IsOfPackets(term.Property))
                throw new UnsupportedConditionException(term.Property);
        }

        return new PacketSelector(filter);
    }

    private static bool IsOfPackets(string property) => TupleProperties.TryFind(property, out TupleProperty? tuple)
        ? tuple is AddressProperty or PortProperty && !tuple.IsTranslated && (tuple.IsOfEitherDirection || (tuple.Places & TuplePlaces.Reply) == 0)
        : property is nameof(ConntrackFilter.AddressFamily) or nameof(ConntrackFilter.Protocol);

    private static List<IReadOnlyList<PacketCondition>> Combine(ConntrackFilter filter, bool isReply)
    {
        IEnumerable<IReadOnlyList<PacketCondition>> all = [[]];
        foreach (FilterTerm term in filter.Terms)
        {
            IReadOnlyList<PacketCondition>[] choices = [.. Alternatives(filter, term.Property, isReply)];
            all = all.SelectMany(conditions => choices.Select(choice => And(conditions, choice))).OfType<IReadOnlyList<PacketCondition>>();
        }

        return [.. all];
    }

    /// <summary>Both lists of conditions. Null if no packet can match both. The family comes first, because the other fields have a meaning
    /// only in the right family.</summary>
    private static PacketCondition[]? And(IReadOnlyList<PacketCondition> some, IReadOnlyList<PacketCondition> others)
    {
        PacketCondition[] all = [.. some.Union(others).OrderBy(condition => condition is FamilyCondition ? 0 : condition is ValueCondition { Field: ProtocolField } ? 1 : 2)];
        return all.OfType<FamilyCondition>().Count() > 1 ? null : all;
    }

    private static IEnumerable<IReadOnlyList<PacketCondition>> Alternatives(ConntrackFilter filter, string property, bool isReply)
    {
        if (!TupleProperties.TryFind(property, out TupleProperty? tuple))
        {
            return property == nameof(ConntrackFilter.Protocol)
                ? [[new ValueCondition(new ProtocolField(), ValueRanges.Of(filter.Protocol))]]
                : [[new FamilyCondition(filter.AddressFamily)]];
        }

        return
            from isSource in tuple.IsOfEitherDirection ? (bool[])[true, false] : [(tuple.Places == TuplePlaces.OriginalSource) != isReply]
            from conditions in tuple is AddressProperty addresses ? AddressConditions.Of(addresses.Of(filter), family => HeaderField.Address(family, isSource)) : Ports(tuple, filter, isSource)
            select conditions;
    }

    private static IEnumerable<IReadOnlyList<PacketCondition>> Ports(TupleProperty property, ConntrackFilter filter, bool isSource) =>
    [
        [
            new ValueCondition(new ProtocolField(), ValueRanges.Of(property.Protocols)),
            new ValueCondition(HeaderField.Port(isSource), ValueRanges.Of(property.ToNumbers(filter)!)),
        ],
    ];
}

/// <summary>A rule can't check a condition of a filter, because packets do not have it. Nothing was changed.</summary>
/// <param name="property">The property of <see cref="ConntrackFilter"/>.</param>
internal sealed class UnsupportedConditionException(string property)
    : Exception($"{property} can't select traffic for a rule, because packets do not have it. Use protocol, addresses and ports.")
{
    /// <summary>The property of <see cref="ConntrackFilter"/>.</summary>
    public string Property { get; } = property;
}
