using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Nftables;
using static ConntrackPS.Blocking.Rules.RuleAlternatives;

namespace ConntrackPS.Blocking.Rules;

/// <summary>Converts a filter into rules that drop the packets of every matching flow, including future flows, and of no other.</summary>
/// <remarks>A packet alone does not show who started its flow: a packet from an address may be a reply of a flow that the filter does not
/// match. So conditions on one direction are checked on the packet's entry. Conditions on either direction are checked on the packet itself
/// too, before connection tracking.</remarks>
internal static class RuleCompiler
{
    /// <returns>The rules. Empty if the filter has a condition on something that new flows or their packets do not have.</returns>
    public static IReadOnlyList<BlockRule> Compile(ConntrackFilter filter)
    {
        if (!filter.Terms.All(term => Know(term.Property)))
            return [];
        bool isSymmetric = filter.Terms.All(term => IsOfEitherDirection(term.Property));
        BlockRule[] ofPackets = isSymmetric ? [.. Combine(filter, OfPacket)] : [];

        // Family and protocol are the same in every packet of a flow, but an address or port may have been translated.
        bool isComplete = isSymmetric && !filter.Terms.Any(term => TupleProperties.TryFind(term.Property, out _));
        return isComplete ? ofPackets : [.. ofPackets, .. Combine(filter, OfEntry)];
    }

    /// <summary>All combinations of alternatives that match every term.</summary>
    private static IEnumerable<BlockRule> Combine(ConntrackFilter filter, Func<ConntrackFilter, string, IEnumerable<BlockRule>> alternatives)
    {
        IEnumerable<BlockRule> rules = [new BlockRule([])];
        foreach (FilterTerm term in filter.Terms)
        {
            BlockRule[] choices = [.. alternatives(filter, term.Property)];
            rules = rules.SelectMany(rule => choices.Select(rule.And)).OfType<BlockRule>();
        }

        return rules;
    }
}

/// <summary>The alternatives that match one term of a filter. Each is a rule to be combined with those of other terms.</summary>
internal static class RuleAlternatives
{
    /// <summary>The properties that are not in the table of tuple properties.</summary>
    private static readonly Dictionary<string, Func<ConntrackFilter, IEnumerable<BlockRule>>> OfOthers = new()
    {
        [nameof(ConntrackFilter.AddressFamily)] = filter => [new BlockRule([new FamilyCondition(filter.AddressFamily)])],
        [nameof(ConntrackFilter.Protocol)] = filter => [new BlockRule([IsProtocol(filter.Protocol)])],
        [nameof(ConntrackFilter.SourceNat)] = _ => [IsTranslated(ConntrackStatus.SrcNat)],
        [nameof(ConntrackFilter.DestinationNat)] = _ => [IsTranslated(ConntrackStatus.DstNat)],
        [nameof(ConntrackFilter.AnyNat)] = _ => [IsTranslated(ConntrackStatus.SrcNat | ConntrackStatus.DstNat)],
    };

    /// <summary>True if rules can check a property. They can check everything in a tuple.</summary>
    public static bool Know(string property) => TupleProperties.TryFind(property, out _) || OfOthers.ContainsKey(property);

    /// <summary>True if packets of both directions show it.</summary>
    public static bool IsOfEitherDirection(string property) => TupleProperties.TryFind(property, out TupleProperty? tuple)
        ? tuple.IsOfEitherDirection
        : property is nameof(ConntrackFilter.AddressFamily) or nameof(ConntrackFilter.Protocol);

    /// <summary>The alternatives for a property, checked on the packet's entry where necessary.</summary>
    public static IEnumerable<BlockRule> OfEntry(ConntrackFilter filter, string property) =>
        TupleProperties.TryFind(property, out TupleProperty? tuple) ? OfTuple(tuple, filter) : OfOthers[property](filter);

    /// <summary>The alternatives for a property of either direction, checked only on the packet.</summary>
    public static IEnumerable<BlockRule> OfPacket(ConntrackFilter filter, string property) => TupleProperties.TryFind(property, out TupleProperty? tuple)
        ? tuple switch
        {
            AddressProperty addresses => HeaderAddresses(addresses.Of(filter)),
            _ => HeaderNumbers(tuple, filter),
        }
        : OfEntry(filter, property);

    /// <summary>Either address in the packet itself.</summary>
    private static IEnumerable<BlockRule> HeaderAddresses(IReadOnlyList<AddressPrefix> prefixes) =>
        from isSource in (bool[])[true, false]
        from conditions in AddressConditions.Of(prefixes, family => HeaderField.Address(family, isSource))
        select new BlockRule(conditions);

    /// <summary>Either port in the packet itself.</summary>
    private static IEnumerable<BlockRule> HeaderNumbers(TupleProperty property, ConntrackFilter filter) =>
        from isSource in (bool[])[true, false]
        select new BlockRule(
        [
            HasProtocol(property), new ValueCondition(HeaderField.Port(isSource), ValueRanges.Of(property.ToNumbers(filter)!)),
        ]);

    /// <summary>In any of the property's places. The translated source is the destination of replies, the translated destination is their
    /// source.</summary>
    private static IEnumerable<BlockRule> OfTuple(TupleProperty property, ConntrackFilter filter) =>
        from place in TuplePlace.Each(property.Places)
        from rule in property is AddressProperty addresses ? Addresses(addresses.Of(filter), place) : [Numbers(property, filter, place)]
        select property.IsTranslated ? rule.And(IsTranslated(place.TranslationBit))! : rule;

    private static IEnumerable<BlockRule> Addresses(IReadOnlyList<AddressPrefix> prefixes, TuplePlace place) =>
        AddressConditions.Of(prefixes, family => TupleField.Address(family, place.Direction, place.IsSource)).Select(conditions => new BlockRule(conditions));

    private static BlockRule Numbers(TupleProperty property, ConntrackFilter filter, TuplePlace place) => new(
    [
        HasProtocol(property),
        new ValueCondition(TupleField.Port(place.Direction, place.IsSource), ValueRanges.Of(property.ToNumbers(filter)!)),
    ]);

    /// <summary>Without DCCP, which newer kernels track without ports: a range from port 0 would match all of it.</summary>
    private static ValueCondition HasProtocol(TupleProperty property) =>
        IsProtocol(property.Protocols.Where(protocol => protocol != IPProtocol.Dccp));

    private static BlockRule IsTranslated(ConntrackStatus bits) => new([new TranslationCondition(bits)]);

    private static ValueCondition IsProtocol(IEnumerable<IPProtocol> protocols) =>
        new(new ProtocolField(), ValueRanges.Of(protocols));
}
