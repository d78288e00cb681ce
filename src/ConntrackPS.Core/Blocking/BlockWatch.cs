namespace ConntrackPS.Blocking;

/// <summary>Looks every second, while this process has blocks, whether the kernel still has their tables.</summary>
/// <remarks>By asking, since nobody tells: the kernel removes the tables of a closed socket without an event to
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
