using ConntrackPS.Conntrack;
using ConntrackPS.Nftables;


/// <summary>Drops packets that match all conditions.</summary>
internal sealed record BlockRule(IReadOnlyList<PacketCondition> Conditions)
{
    /// <summary>The stage at which all its conditions can be checked.</summary>
    public BlockStage Stage => Conditions.Max(StageOf);

    /// <summary>The first stage at which a condition can be checked. The reply tuple is final only after NAT.</summary>
    private static BlockStage StageOf(PacketCondition condition) => condition switch
    {
        TranslationCondition or ValueCondition { Field: TupleField { Direction: TupleDirection.Reply } } => BlockStage.Translated,
        ValueCondition { Field: TupleField } => BlockStage.Tracked,
        _ => BlockStage.Packet,
    };

    /// <summary>Both rules combined. Null if no packet can match both.</summary>
    public BlockRule? And(BlockRule other)
    {
        PacketCondition[] all = [.. Conditions.Union(other.Conditions)];
        return all.OfType<FamilyCondition>().Count() > 1 ? null : new BlockRule([.. all.OrderBy(Cost)]);
    }

    /// <summary>The family first: the other fields are only meaningful for the right family.</summary>
    private static int Cost(PacketCondition condition) => condition switch
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

/// <summary>The base chains of a block's table.</summary>
internal static class BlockChains
{
    private static readonly BaseChain[] OfPackets =
    [
        new("raw-prerouting", Hook.PreRouting, HookPriority.Raw),
        new("raw-output", Hook.LocalOut, HookPriority.Raw),
    ];

    private static readonly BaseChain[] OfTracked =
    [
        new("tracked-prerouting", Hook.PreRouting, HookPriority.AfterConntrack),
        new("tracked-output", Hook.LocalOut, HookPriority.AfterConntrack),
    ];

    private static readonly BaseChain[] OfTranslated =
    [
        new("translated-input", Hook.LocalIn, HookPriority.AfterNatSrc),
        new("translated-postrouting", Hook.PostRouting, HookPriority.AfterNatSrc),
    ];

    /// <summary>The chains that together see every packet at a stage.</summary>
    public static IReadOnlyList<BaseChain> At(BlockStage stage) => stage switch
    {
        BlockStage.Packet => OfPackets,
        BlockStage.Tracked => OfTracked,
        _ => OfTranslated,
    };
}
