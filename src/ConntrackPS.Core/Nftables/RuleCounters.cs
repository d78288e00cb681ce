using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>The counters of the rules of a table.</summary>
/// <param name="Packets">Packets that the rules matched.</param>
/// <param name="Bytes">Bytes that the rules matched, with layer 3 headers.</param>
public readonly record struct RuleCounters(ulong Packets, ulong Bytes)
{
    /// <summary>Sums the counters of a table's rules (NFT_MSG_GETRULE).</summary>
    internal static RuleCounters Read(NetlinkConnection connection, string table)
    {
        RuleCounters sum = default;
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Getrule, MessageFlags.Dump | MessageFlags.Ack, (byte)NetfilterProtocol.Inet);
        NftWriter.RulesOf(ref writer, table);
        writer.EndMessage();
        connection.ReadDump(
            writer.Written.ToArray(), "read the counters of rules", () => sum = default, message => sum = sum.Plus(OfRule(message, table)));
        return sum;
    }

    /// <summary>The sum of both.</summary>
    internal RuleCounters Plus(RuleCounters other) => new(Packets + other.Packets, Bytes + other.Bytes);

    private static RuleCounters OfRule(NetlinkMessage message, string table)
    {
        RuleCounters sum = default;
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            // If a kernel ignores the table's name, it also sends the rules of other tables.
            if (attributes.Type == (ushort)RuleAttribute.Table && attributes.Text != table)
                return default;
            if (attributes.Type == (ushort)RuleAttribute.Expressions)
                sum = OfExpressions(attributes.Nested);
        }

        return sum;
    }

    private static RuleCounters OfExpressions(AttributeReader expressions)
    {
        RuleCounters sum = default;
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

    private static RuleCounters OfCounter(AttributeReader counter)
    {
        ulong packets = 0, bytes = 0;
        while (counter.Read())
        {
            if (counter.Type == (ushort)CounterExpressionAttribute.Packets)
                packets = counter.UInt64;
            else if (counter.Type == (ushort)CounterExpressionAttribute.Bytes)
                bytes = counter.UInt64;
        }

        return new RuleCounters(packets, bytes);
    }
}
