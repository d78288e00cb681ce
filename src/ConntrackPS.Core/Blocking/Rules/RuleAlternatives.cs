using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Blocking.Rules;

/// <summary>The ways to meet one term of a filter, each as a rule that is to be combined with those of other terms.</summary>
internal static class RuleAlternatives
{
    /// <summary>Without DCCP, which newer kernels track without ports: a range from port 0 would name all of it.</summary>
    private static readonly IPProtocol[] WithPorts = [IPProtocol.Tcp, IPProtocol.Udp, IPProtocol.UdpLite, IPProtocol.Sctp];
    private static readonly IPProtocol[] Icmp = [IPProtocol.Icmp, IPProtocol.IcmpV6];
    private static readonly IPFamily[] Families = [IPFamily.IPv4, IPFamily.IPv6];

    /// <summary>By the filter's property; properties that are missing here can't be told by rules.</summary>
    public static readonly IReadOnlyDictionary<string, Func<ConntrackFilter, IEnumerable<BlockRule>>> OfTuples =
        new Dictionary<string, Func<ConntrackFilter, IEnumerable<BlockRule>>>
        {
            [nameof(ConntrackFilter.AddressFamily)] = filter => [new BlockRule([new FamilyCondition(filter.AddressFamily)])],
            [nameof(ConntrackFilter.Protocol)] = filter => [new BlockRule([IsProtocol(filter.Protocol)])],
            [nameof(ConntrackFilter.SourceAddress)] = filter => Addresses(filter.SourceAddress, TupleDirection.Original, isSource: true),
            [nameof(ConntrackFilter.DestinationAddress)] = filter => Addresses(filter.DestinationAddress, TupleDirection.Original, isSource: false),
            [nameof(ConntrackFilter.ReplySourceAddress)] = filter => Addresses(filter.ReplySourceAddress, TupleDirection.Reply, isSource: true),
            [nameof(ConntrackFilter.ReplyDestinationAddress)] = filter => Addresses(filter.ReplyDestinationAddress, TupleDirection.Reply, isSource: false),
            [nameof(ConntrackFilter.Address)] = filter => Either((direction, isSource) => Addresses(filter.Address, direction, isSource)),
            [nameof(ConntrackFilter.SourcePort)] = filter => Ports(filter.SourcePort, TupleDirection.Original, isSource: true),
            [nameof(ConntrackFilter.DestinationPort)] = filter => Ports(filter.DestinationPort, TupleDirection.Original, isSource: false),
            [nameof(ConntrackFilter.ReplySourcePort)] = filter => Ports(filter.ReplySourcePort, TupleDirection.Reply, isSource: true),
            [nameof(ConntrackFilter.ReplyDestinationPort)] = filter => Ports(filter.ReplyDestinationPort, TupleDirection.Reply, isSource: false),
            [nameof(ConntrackFilter.Port)] = filter => Either((direction, isSource) => Ports(filter.Port, direction, isSource)),
            [nameof(ConntrackFilter.SourceNat)] = _ => [IsTranslated(ConntrackStatus.SrcNat)],
            [nameof(ConntrackFilter.DestinationNat)] = _ => [IsTranslated(ConntrackStatus.DstNat)],
            [nameof(ConntrackFilter.AnyNat)] = _ => [IsTranslated(ConntrackStatus.SrcNat | ConntrackStatus.DstNat)],
            [nameof(ConntrackFilter.TranslatedSourceAddress)] = filter =>
                Translated(ConntrackStatus.SrcNat, Addresses(filter.TranslatedSourceAddress, TupleDirection.Reply, isSource: false)),
            [nameof(ConntrackFilter.TranslatedDestinationAddress)] = filter =>
                Translated(ConntrackStatus.DstNat, Addresses(filter.TranslatedDestinationAddress, TupleDirection.Reply, isSource: true)),
            [nameof(ConntrackFilter.TranslatedAddress)] = filter =>
                EitherTranslated(isSource => Addresses(filter.TranslatedAddress, TupleDirection.Reply, isSource)),
            [nameof(ConntrackFilter.TranslatedSourcePort)] = filter =>
                Translated(ConntrackStatus.SrcNat, Ports(filter.TranslatedSourcePort, TupleDirection.Reply, isSource: false)),
            [nameof(ConntrackFilter.TranslatedDestinationPort)] = filter =>
                Translated(ConntrackStatus.DstNat, Ports(filter.TranslatedDestinationPort, TupleDirection.Reply, isSource: true)),
            [nameof(ConntrackFilter.TranslatedPort)] = filter =>
                EitherTranslated(isSource => Ports(filter.TranslatedPort, TupleDirection.Reply, isSource)),
            [nameof(ConntrackFilter.IcmpId)] = filter => Identifiers(Icmp, filter.IcmpId, isSource: true),
            [nameof(ConntrackFilter.IcmpType)] = filter => TypesAndCodes(filter.IcmpType.Select(type => new PortRange(type << 8, type << 8 | byte.MaxValue))),
            [nameof(ConntrackFilter.IcmpCode)] = filter =>
                TypesAndCodes(Enumerable.Range(0, 256).SelectMany(type => filter.IcmpCode.Select(code => new PortRange(type << 8 | code)))),
            [nameof(ConntrackFilter.GreSourceKey)] = filter => Identifiers([IPProtocol.Gre], filter.GreSourceKey, isSource: true),
            [nameof(ConntrackFilter.GreDestinationKey)] = filter => Identifiers([IPProtocol.Gre], filter.GreDestinationKey, isSource: false),
        };

    /// <summary>Either address in the packet itself.</summary>
    public static IEnumerable<BlockRule> HeaderAddresses(IReadOnlyList<AddressPrefix> prefixes) =>
        from family in Families
        where prefixes.Any(prefix => prefix.Family == family)
        from isSource in (bool[])[true, false]
        select new BlockRule(
        [
            new FamilyCondition(family),
            new ValueCondition(BlockStage.Packet, HeaderField.Address(family, isSource), ValueRanges.Of(family, prefixes)),
        ]);

    /// <summary>Either port in the packet itself.</summary>
    public static IEnumerable<BlockRule> HeaderPorts(IReadOnlyList<PortRange> ports) =>
        from isSource in (bool[])[true, false]
        select new BlockRule([IsProtocol(WithPorts), new ValueCondition(BlockStage.Packet, HeaderField.Port(isSource), ValueRanges.Of(ports))]);

    private static IEnumerable<BlockRule> Either(Func<TupleDirection, bool, IEnumerable<BlockRule>> alternatives) =>
        from direction in (TupleDirection[])[TupleDirection.Original, TupleDirection.Reply]
        from isSource in (bool[])[true, false]
        from rule in alternatives(direction, isSource)
        select rule;

    private static IEnumerable<BlockRule> Addresses(IReadOnlyList<AddressPrefix> prefixes, TupleDirection direction, bool isSource) =>
        from family in Families
        where prefixes.Any(prefix => prefix.Family == family)
        select new BlockRule(
        [
            new FamilyCondition(family),
            new ValueCondition(StageOf(direction), TupleField.Address(family, direction, isSource), ValueRanges.Of(family, prefixes)),
        ]);

    private static IEnumerable<BlockRule> Ports(IReadOnlyList<PortRange> ports, TupleDirection direction, bool isSource) =>
        [Numbers(WithPorts, ports, direction, isSource)];

    private static IEnumerable<BlockRule> Identifiers(IPProtocol[] protocols, IEnumerable<ushort> values, bool isSource) =>
        [Numbers(protocols, values.Select(value => new PortRange(value)), TupleDirection.Original, isSource)];

    private static IEnumerable<BlockRule> TypesAndCodes(IEnumerable<PortRange> values) =>
        [Numbers(Icmp, values, TupleDirection.Original, isSource: false)];

    private static BlockRule Numbers(IPProtocol[] protocols, IEnumerable<PortRange> values, TupleDirection direction, bool isSource) => new(
    [
        IsProtocol(protocols),
        new ValueCondition(StageOf(direction), TupleField.Port(direction, isSource), ValueRanges.Of(values)),
    ]);

    /// <summary>The source is translated to what replies go to, the destination to what they come from.</summary>
    private static IEnumerable<BlockRule> EitherTranslated(Func<bool, IEnumerable<BlockRule>> replies) =>
        [.. Translated(ConntrackStatus.SrcNat, replies(false)), .. Translated(ConntrackStatus.DstNat, replies(true))];

    private static IEnumerable<BlockRule> Translated(ConntrackStatus bit, IEnumerable<BlockRule> rules) =>
        rules.Select(rule => rule.And(IsTranslated(bit))!);

    private static BlockRule IsTranslated(ConntrackStatus bits) => new([new TranslationCondition(bits)]);

    private static ValueCondition IsProtocol(IEnumerable<IPProtocol> protocols) =>
        new(BlockStage.Packet, new ProtocolField(), ValueRanges.Of(protocols));

    /// <summary>The reply's tuple is final only once the flow is translated.</summary>
    private static BlockStage StageOf(TupleDirection direction) =>
        direction == TupleDirection.Original ? BlockStage.Tracked : BlockStage.Translated;
}
