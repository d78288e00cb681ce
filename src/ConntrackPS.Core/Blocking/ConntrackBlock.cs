using ConntrackPS.Blocking.Wire;
using ConntrackPS.Netlink;

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

/// <summary>What a block has dropped so far.</summary>
/// <param name="Packets">Packets.</param>
/// <param name="Bytes">Bytes, layer 3 headers included.</param>
public readonly record struct BlockCounters(ulong Packets, ulong Bytes)
{
    /// <summary>Adds the counters of a table's rules up (NFT_MSG_GETRULE).</summary>
    internal static BlockCounters Read(NetlinkConnection connection, string table)
    {
        BlockCounters sum = default;
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Getrule, MessageFlags.Dump | MessageFlags.Ack, (byte)NetfilterProtocol.Inet);
        NftWriter.RulesOf(ref writer, table);
        writer.EndMessage();
        connection.ReadDump(
            writer.Written.ToArray(), "read the counters of a block", () => sum = default, message => sum = sum.Plus(OfRule(message, table)));
        return sum;
    }

    /// <summary>Both together.</summary>
    internal BlockCounters Plus(BlockCounters other) => new(Packets + other.Packets, Bytes + other.Bytes);

    private static BlockCounters OfRule(NetlinkMessage message, string table)
    {
        BlockCounters sum = default;
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            // Should a kernel not heed the table's name, then other tables' rules come too.
            if (attributes.Type == (ushort)RuleAttribute.Table && attributes.Text != table)
                return default;
            if (attributes.Type == (ushort)RuleAttribute.Expressions)
                sum = OfExpressions(attributes.Nested);
        }

        return sum;
    }

    private static BlockCounters OfExpressions(AttributeReader expressions)
    {
        BlockCounters sum = default;
        while (expressions.Read())
        {
            string name = "";
            AttributeReader expression = expressions.Nested;
            while (expression.Read())
            {
                if (expression.Type == (ushort)ExpressionAttribute.Name)
                    name = expression.Text;
                else if (expression.Type == (ushort)ExpressionAttribute.Data && name == "counter")
                    sum = sum.Plus(OfCounter(expression.Nested));
            }
        }

        return sum;
    }

    private static BlockCounters OfCounter(AttributeReader counter)
    {
        ulong packets = 0, bytes = 0;
        while (counter.Read())
        {
            if (counter.Type == (ushort)CounterExpressionAttribute.Packets)
                packets = counter.UInt64;
            else if (counter.Type == (ushort)CounterExpressionAttribute.Bytes)
                bytes = counter.UInt64;
        }

        return new BlockCounters(packets, bytes);
    }
}

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
