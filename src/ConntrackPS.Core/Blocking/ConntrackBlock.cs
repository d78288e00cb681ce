using ConntrackPS.Nftables;

namespace ConntrackPS.Blocking;

/// <summary>A block of this process and its counters, as read from the kernel.</summary>
public sealed class ConntrackBlock
{
    internal ConntrackBlock(int id, TrafficBlock block)
    {
        RuleCounters counters = block.ReadCounters();
        (Id, Traffic, CoversNewFlows) = (id, block.Target.Description, block.Target.CoversNewFlows);
        (TupleCount, Packets, Bytes) = (block.TupleCount, counters.Packets, counters.Bytes);
        (Since, Table, Namespace) = (block.Since, block.Table, block.Namespace);
        (IsInForce, LossCount, LastLoss, Problem) = (block.IsInForce, block.LossCount, block.LastLoss, block.Problem);
    }

    /// <summary>The block's number in this process, from 1.</summary>
    public int Id { get; }

    /// <summary>A description of the traffic.</summary>
    public string Traffic { get; }

    /// <summary>True if future flows are blocked too. False if only existing flows are blocked.</summary>
    public bool CoversNewFlows { get; }

    /// <summary>The number of tuples that are dropped individually: two for each existing flow.</summary>
    public int TupleCount { get; }

    /// <summary>The number of dropped packets.</summary>
    public ulong Packets { get; }

    /// <summary>The number of dropped bytes, with layer 3 headers.</summary>
    public ulong Bytes { get; }

    /// <summary>The start of the block, local time.</summary>
    public DateTime Since { get; }

    /// <summary>The name of the nf_tables table, of family inet.</summary>
    public string Table { get; }

    /// <summary>True if the kernel has the table. False if the table is gone and could not be restored.</summary>
    public bool IsInForce { get; }

    /// <summary>The number of times that the kernel had lost the table. Each time it was created again.</summary>
    public int LossCount { get; }

    /// <summary>The time when the last loss was detected, local time. Null if there was none.</summary>
    public DateTime? LastLoss { get; }

    /// <summary>The current or past problem, in one or two sentences. Null if there was none.</summary>
    public string? Problem { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <inheritdoc/>
    public override string ToString() => $"block {Id} of {Traffic}";
}

/// <summary>The blocks that this process keeps for longer than one command. They end with the process at the latest.</summary>
internal static class BlockSession
{
    private static readonly object Gate = new();
    private static readonly SortedDictionary<int, TrafficBlock> Blocks = [];
    private static int _last;

    /// <summary>Adds a block.</summary>
    public static ConntrackBlock Hold(TrafficBlock block)
    {
        ArgumentNullException.ThrowIfNull(block);
        lock (Gate)
        {
            int id = ++_last;
            ConntrackBlock shown = new(id, block);
            Blocks.Add(id, block);
            return shown;
        }
    }

    /// <summary>The numbers of the current blocks, in order.</summary>
    public static IReadOnlyList<int> Ids()
    {
        lock (Gate)
            return [.. Blocks.Keys];
    }

    /// <summary>The network namespaces with blocks, as the user named them; null for the caller's own.</summary>
    public static IReadOnlyCollection<string?> Namespaces()
    {
        lock (Gate)
            return [.. Blocks.Values.Select(block => block.Namespace).Distinct()];
    }

    /// <summary>Reads the blocks of a network namespace, by whichever name they were created.</summary>
    /// <param name="identity">The result of <see cref="Linux.NetworkNamespace.ReadIdentity"/>.</param>
    /// <exception cref="Netlink.NetlinkException">The kernel refused the request.</exception>
    internal static IReadOnlyList<ConntrackBlock> ReadIn(string identity)
    {
        lock (Gate)
            return [.. Blocks.Where(block => block.Value.NamespaceIdentity == identity).Select(block => new ConntrackBlock(block.Key, block.Value))];
    }

    /// <summary>Checks that the kernel has a block, creates it again if not, and reads its counters.</summary>
    /// <returns>Null if there is no block with the number.</returns>
    /// <exception cref="Netlink.NetlinkException">The kernel refused the request.</exception>
    public static ConntrackBlock? Read(int id)
    {
        lock (Gate)
            return Blocks.TryGetValue(id, out TrafficBlock? block) ? new ConntrackBlock(id, block) : null;
    }

    /// <summary>Ends a block.</summary>
    /// <returns>False if there is no block with the number.</returns>
    public static bool End(int id)
    {
        lock (Gate)
        {
            if (!Blocks.Remove(id, out TrafficBlock? block))
                return false;
            block.Dispose();
            return true;
        }
    }

    /// <summary>Ends all blocks.</summary>
    public static void EndAll()
    {
        foreach (int id in Ids())
            End(id);
    }
}
