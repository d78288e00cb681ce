using ConntrackPS.Blocking.Wire;

namespace ConntrackPS.Blocking.Rules;

/// <summary>How much must be known about a packet before it can be told whether it is meant. In no stage is a new
/// entry in the table yet: the kernel puts it there at the end of a packet's way, and the packet doesn't get there.</summary>
internal enum BlockStage
{
    /// <summary>What is in the packet: before connection tracking sees it.</summary>
    Packet,

    /// <summary>Which way the flow goes: right after connection tracking has seen the packet.</summary>
    Tracked,

    /// <summary>How the flow is translated: after NAT.</summary>
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

    /// <summary>The chains that between them see every packet at a stage.</summary>
    public static IReadOnlyList<BlockChain> At(BlockStage stage) => stage switch
    {
        BlockStage.Packet => OfPackets,
        BlockStage.Tracked => OfTracked,
        _ => OfTranslated,
    };
}
