using ConntrackPS.Nftables;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;


/// <summary>One condition of a rule.</summary>
/// <param name="Stage">The first stage at which it can be checked.</param>
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
/// <param name="Bits">IPS_SRC_NAT, IPS_DST_NAT, or both if either is sufficient.</param>
internal sealed record TranslationCondition(ConntrackStatus Bits) : BlockCondition(BlockStage.Translated)
{
    public void Write(ref MessageWriter writer)
    {
        ExpressionWriter.LoadCt(ref writer, CtKey.Status, direction: null);
        ExpressionWriter.Mask(ref writer, (uint)Bits);
        ExpressionWriter.Compare(ref writer, CompareOperator.Neq, [0, 0, 0, 0]);
    }
}

/// <summary>Drops packets that match all conditions.</summary>
internal sealed record BlockRule(IReadOnlyList<BlockCondition> Conditions)
{
    /// <summary>The stage at which all its conditions can be checked.</summary>
    public BlockStage Stage => Conditions.Max(condition => condition.Stage);

    /// <summary>Both rules combined. Null if no packet can match both.</summary>
    public BlockRule? And(BlockRule other)
    {
        BlockCondition[] all = [.. Conditions.Union(other.Conditions)];
        return all.OfType<FamilyCondition>().Count() > 1 ? null : new BlockRule([.. all.OrderBy(Cost)]);
    }

    /// <summary>The family first: the other fields are only meaningful for the right family.</summary>
    private static int Cost(BlockCondition condition) => condition switch
    {
        FamilyCondition => 0,
        ValueCondition { Field: ProtocolField } => 1,
        _ => 2,
    };
}

/// <summary>The processing stage that a packet must have reached before a condition can be checked. At each stage, a new entry is not in
/// the table yet: the kernel inserts it at the end of the packet's path, which a dropped packet does not reach.</summary>
internal enum BlockStage
{
    /// <summary>Content of the packet: before connection tracking.</summary>
    Packet,

    /// <summary>Direction of the flow: directly after connection tracking.</summary>
    Tracked,

    /// <summary>Translation of the flow: after NAT.</summary>
    Translated,
}

/// <summary>A base chain of the block's table.</summary>
internal readonly record struct BlockChain(string Name, Hook Hook, HookPriority Priority)
{
    private static readonly BlockChain[] OfPackets =
    [
        new("raw-prerouting", Hook.PreRouting, HookPriority.Raw),
        new("raw-output", Hook.LocalOut, HookPriority.Raw),
    ];

    private static readonly BlockChain[] OfTracked =
    [
        new("tracked-prerouting", Hook.PreRouting, HookPriority.AfterConntrack),
        new("tracked-output", Hook.LocalOut, HookPriority.AfterConntrack),
    ];

    private static readonly BlockChain[] OfTranslated =
    [
        new("translated-input", Hook.LocalIn, HookPriority.AfterNatSrc),
        new("translated-postrouting", Hook.PostRouting, HookPriority.AfterNatSrc),
    ];

    /// <summary>The chains that together see every packet at a stage.</summary>
    public static IReadOnlyList<BlockChain> At(BlockStage stage) => stage switch
    {
        BlockStage.Packet => OfPackets,
        BlockStage.Tracked => OfTracked,
        _ => OfTranslated,
    };
}
