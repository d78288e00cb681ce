namespace ConntrackPS.Blocking;

/// <summary>The blocks that this process holds for longer than one command. They end with the process at the latest.</summary>
internal static class BlockSession
{
    private static readonly object Gate = new();
    private static readonly SortedDictionary<int, TrafficBlock> Blocks = [];
    private static int _last;

    /// <summary>Holds a block from now on.</summary>
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

    /// <summary>The numbers of the blocks that are held, in order.</summary>
    public static IReadOnlyList<int> Ids()
    {
        lock (Gate)
            return [.. Blocks.Keys];
    }

    /// <summary>The network namespaces that blocks are held in, by the names that they were given; null for the caller's own.</summary>
    public static IReadOnlyCollection<string?> Namespaces()
    {
        lock (Gate)
            return [.. Blocks.Values.Select(block => block.Namespace).Distinct()];
    }

    /// <summary>Reads the blocks of a network namespace, by whichever name they were made.</summary>
    /// <param name="identity">What <see cref="Linux.NetworkNamespace.ReadIdentity"/> tells of it.</param>
    /// <exception cref="Netlink.NetlinkException">The kernel refused.</exception>
    internal static IReadOnlyList<ConntrackBlock> ReadIn(string identity)
    {
        lock (Gate)
            return [.. Blocks.Where(block => block.Value.NamespaceIdentity == identity).Select(block => new ConntrackBlock(block.Key, block.Value))];
    }

    /// <summary>Looks whether the kernel has a block, makes it again where not, and reads its counters.</summary>
    /// <returns>Null where none has the number.</returns>
    /// <exception cref="Netlink.NetlinkException">The kernel refused.</exception>
    public static ConntrackBlock? Read(int id)
    {
        lock (Gate)
            return Blocks.TryGetValue(id, out TrafficBlock? block) ? new ConntrackBlock(id, block) : null;
    }

    /// <summary>Ends a block.</summary>
    /// <returns>False where none has the number.</returns>
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

/// <summary>Looks every second, while this process has blocks, whether the kernel still has their tables.</summary>
/// <remarks>By asking, since there is no event: the kernel removes the tables of a closed socket without an event to
/// NFNLGRP_NFTABLES (nf_tables_api.c: nft_rcv_nl_event). To ask for one table takes microseconds.</remarks>
internal static class BlockWatch
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly HashSet<TrafficBlock> Blocks = [];
    private static Timer? _timer;

    /// <summary>Looks after a block from now on.</summary>
    public static void Add(TrafficBlock block)
    {
        lock (Blocks)
        {
            Blocks.Add(block);
            _timer ??= new Timer(_ => LookAtAll(), null, Period, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Leaves a block alone that ends.</summary>
    public static void Remove(TrafficBlock block)
    {
        lock (Blocks)
        {
            if (!Blocks.Remove(block) || Blocks.Count > 0)
                return;
            _timer?.Dispose();
            _timer = null;
        }
    }

    private static void LookAtAll()
    {
        TrafficBlock[] blocks;
        lock (Blocks)
            blocks = [.. Blocks];
        foreach (TrafficBlock block in blocks)
            block.Look();

        // Only now again, so that a kernel that is slow to answer isn't asked twice at once.
        lock (Blocks)
            _timer?.Change(Period, Timeout.InfiniteTimeSpan);
    }
}
