namespace ConntrackPS.Blocking;

/// <summary>What a block of this process drops, and what it has dropped so far, as the kernel had it when this was read.
/// </summary>
public sealed class ConntrackBlock
{
    internal ConntrackBlock(int id, TrafficBlock block)
    {
        BlockCounters counters = block.ReadCounters();
        (Id, Traffic, CoversNewFlows) = (id, block.Target.Description, block.Target.CoversNewFlows);
        (TupleCount, Packets, Bytes) = (block.TupleCount, counters.Packets, counters.Bytes);
        (Since, Table, Namespace) = (block.Since, block.Table, block.Namespace);
        (IsInForce, LossCount, LastLoss, Problem) = (block.IsInForce, block.LossCount, block.LastLoss, block.Problem);
    }

    /// <summary>The block's number in this process, from 1.</summary>
    public int Id { get; }

    /// <summary>Whose traffic, as a person would name it.</summary>
    public string Traffic { get; }

    /// <summary>True where flows that are yet to come are blocked too; false where only those are that existed.</summary>
    public bool CoversNewFlows { get; }

    /// <summary>How many tuples are dropped one by one: two for each flow that existed.</summary>
    public int TupleCount { get; }

    /// <summary>Packets dropped.</summary>
    public ulong Packets { get; }

    /// <summary>Bytes dropped, layer 3 headers included.</summary>
    public ulong Bytes { get; }

    /// <summary>Since when, local time.</summary>
    public DateTime Since { get; }

    /// <summary>The table of nf_tables, of family inet.</summary>
    public string Table { get; }

    /// <summary>True where the kernel has the table; false where it has not, and could not be made to have it again.</summary>
    public bool IsInForce { get; }

    /// <summary>How often the kernel turned out to have the table no more; it was made again then.</summary>
    public int LossCount { get; }

    /// <summary>When that showed last, local time; null for never.</summary>
    public DateTime? LastLoss { get; }

    /// <summary>What is or was wrong, in a sentence or two; null where all is and was well.</summary>
    public string? Problem { get; }

    /// <summary>The network namespace by the name it was given; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <inheritdoc/>
    public override string ToString() => $"block {Id} of {Traffic}";
}
