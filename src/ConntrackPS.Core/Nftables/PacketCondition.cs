using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>One condition of a rule. A rule with several matches if all match.</summary>
internal abstract record PacketCondition
{
    /// <summary>Writes the expressions that continue only if the condition matches.</summary>
    /// <param name="writer">The writer.</param>
    /// <param name="sets">Names the set of the values of a field.</param>
    public abstract void Write(ref MessageWriter writer, ValueSets sets);

    /// <summary>The condition in the language of nft(8), with its values in place.</summary>
    public abstract string ToNft();
}

/// <summary>The packet is of an address family.</summary>
internal sealed record FamilyCondition(IPFamily Family) : PacketCondition
{
    public override void Write(ref MessageWriter writer, ValueSets sets) => Write(ref writer);

    public override string ToNft() => Family == IPFamily.IPv6 ? "meta nfproto ipv6" : "meta nfproto ipv4";

    public void Write(ref MessageWriter writer)
    {
        ExpressionWriter.LoadMeta(ref writer, MetaKey.Nfproto);
        NetfilterProtocol family = Family == IPFamily.IPv6 ? NetfilterProtocol.Ipv6 : NetfilterProtocol.Ipv4;
        ExpressionWriter.Compare(ref writer, CompareOperator.Eq, [(byte)family]);
    }
}

/// <summary>Conditions on addresses, which have a meaning only in the right family.</summary>
internal static class AddressConditions
{
    private static readonly IPFamily[] Families = [IPFamily.IPv4, IPFamily.IPv6];

    /// <summary>The alternatives, one for each family of the prefixes: the packet is of the family, and its field is in one of them.</summary>
    /// <param name="prefixes">The prefixes.</param>
    /// <param name="fieldOf">The field in a family.</param>
    public static IEnumerable<IReadOnlyList<PacketCondition>> Of(IReadOnlyList<AddressPrefix> prefixes, Func<IPFamily, PacketField> fieldOf) =>
        from family in Families
        where prefixes.Any(prefix => prefix.Family == family)
        select (IReadOnlyList<PacketCondition>)[new FamilyCondition(family), new ValueCondition(fieldOf(family), ValueRanges.Of(family, prefixes))];
}

/// <summary>A field has one of several values.</summary>
internal sealed record ValueCondition(PacketField Field, ValueRanges Values) : PacketCondition
{
    public override void Write(ref MessageWriter writer, ValueSets sets)
    {
        Field.Load(ref writer);
        ExpressionWriter.Lookup(ref writer, sets.NameOf(Field.Type, Values));
    }

    public override string ToNft() => $"{Field.Nft} {{ {Values.ToNft()} }}";
}

/// <summary>The flow is translated.</summary>
/// <param name="Bits">IPS_SRC_NAT, IPS_DST_NAT, or both if either is sufficient.</param>
internal sealed record TranslationCondition(ConntrackStatus Bits) : PacketCondition
{
    public override void Write(ref MessageWriter writer, ValueSets sets) =>
        ExpressionWriter.TestBits(ref writer, CtKey.Status, (uint)Bits, CompareOperator.Neq);

    public override string ToNft() => Bits switch
    {
        ConntrackStatus.SrcNat => "ct status snat",
        ConntrackStatus.DstNat => "ct status dnat",
        _ => "ct status & (snat | dnat) != 0",
    };
}

/// <summary>The packet starts a connection (the state new).</summary>
internal sealed record NewConnectionCondition : PacketCondition
{
    public override void Write(ref MessageWriter writer, ValueSets sets) =>
        ExpressionWriter.TestBits(ref writer, CtKey.State, (uint)PacketStates.New, CompareOperator.Neq);

    public override string ToNft() => "ct state new";
}

/// <summary>The packet is the first of its connection: its entry is not in the table yet (IPS_CONFIRMED). A connection is also
/// new for all later packets, until there is a reply.</summary>
internal sealed record FirstPacketCondition : PacketCondition
{
    public override void Write(ref MessageWriter writer, ValueSets sets) =>
        ExpressionWriter.TestBits(ref writer, CtKey.Status, (uint)ConntrackStatus.Confirmed, CompareOperator.Eq);

    public override string ToNft() => "ct status & confirmed == 0";
}

/// <summary>The sets of one table that hold values of fields. Equal values share a set.</summary>
internal sealed class ValueSets
{
    private readonly Dictionary<(ElementType Type, ValueRanges Values), string> _names = [];

    /// <summary>The name of a set that was added.</summary>
    public string NameOf(ElementType type, ValueRanges values) => _names[(type, values)];

    /// <summary>Adds a set.</summary>
    /// <returns>Its name; null if it was added before.</returns>
    public string? Add(ElementType type, ValueRanges values)
    {
        if (_names.ContainsKey((type, values)))
            return null;
        int others = _names.Keys.Count(key => key.Type == type);
        string name = others == 0 ? type.SetName : $"{type.SetName}-{others + 1}";
        _names.Add((type, values), name);
        return name;
    }

    public void Clear() => _names.Clear();
}
