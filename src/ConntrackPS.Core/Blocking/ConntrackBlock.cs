namespace ConntrackPS.Blocking;

/// <summary>What a block of this process drops, and what it has dropped so far.</summary>
public sealed class ConntrackBlock
{
    internal ConntrackBlock(int id, TrafficBlock block)
    {
        BlockCounters counters = block.ReadCounters();
        (Id, Traffic, CoversNewFlows) = (id, block.Target.Description, block.Target.CoversNewFlows);
        (TupleCount, Packets, Bytes) = (block.TupleCount, counters.Packets, counters.Bytes);
        (Since, Table, Namespace) = (block.Since, block.Table, block.Namespace);
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

    /// <summary>The network namespace by the name it was given; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <inheritdoc/>
    public override string ToString() => $"block {Id} of {Traffic}";
}
