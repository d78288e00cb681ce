using ConntrackPS.Blocking.Wire;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Rules;

/// <summary>One condition of a rule.</summary>
/// <param name="Stage">The first stage at which it can be told.</param>
internal abstract record BlockCondition(BlockStage Stage);

/// <summary>A field has one of several values.</summary>
internal sealed record ValueCondition(BlockStage Stage, PacketField Field, ValueRanges Values) : BlockCondition(Stage);

/// <summary>The packet is of an address family.</summary>
internal sealed record FamilyCondition(IPFamily Family) : BlockCondition(BlockStage.Packet)
{
    public void Write(ref MessageWriter writer)
    {
        ExpressionWriter.LoadMeta(ref writer, MetaKey.Nfproto);
        NetfilterProtocol family = Family == IPFamily.IPv6 ? NetfilterProtocol.Ipv6 : NetfilterProtocol.Ipv4;
        ExpressionWriter.Compare(ref writer, CompareOperator.Eq, [(byte)family]);
    }
}

/// <summary>The flow is translated.</summary>
/// <param name="Bits">IPS_SRC_NAT, IPS_DST_NAT, or both where either will do.</param>
internal sealed record TranslationCondition(ConntrackStatus Bits) : BlockCondition(BlockStage.Translated)
{
    public void Write(ref MessageWriter writer)
    {
        ExpressionWriter.LoadCt(ref writer, CtKey.Status, direction: null);
        ExpressionWriter.Mask(ref writer, (uint)Bits);
        ExpressionWriter.Compare(ref writer, CompareOperator.Neq, [0, 0, 0, 0]);
    }
}

/// <summary>Drops packets that meet all conditions.</summary>
internal sealed record BlockRule(IReadOnlyList<BlockCondition> Conditions)
{
    /// <summary>The stage at which the last of its conditions can be told.</summary>
    public BlockStage Stage => Conditions.Max(condition => condition.Stage);

    /// <summary>Both rules in one; null where no packet could meet both.</summary>
    public BlockRule? And(BlockRule other)
    {
        BlockCondition[] all = [.. Conditions.Union(other.Conditions)];
        return all.OfType<FamilyCondition>().Count() > 1 ? null : new BlockRule([.. all.OrderBy(Cost)]);
    }

    /// <summary>The family first: only it makes the other fields mean what they should.</summary>
    private static int Cost(BlockCondition condition) => condition switch
    {
        FamilyCondition => 0,
        ValueCondition { Field: ProtocolField } => 1,
        _ => 2,
    };
}
