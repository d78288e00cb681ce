using ConntrackPS.Blocking.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking;

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
