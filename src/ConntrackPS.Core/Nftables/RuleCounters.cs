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
            writer.Written.ToArray(), "read the counters of rules", () => sum = default, message => sum = sum.Plus(OfRule(NftRule.Of(message), table)));
        return sum;
    }

    /// <summary>The sum of both.</summary>
    internal RuleCounters Plus(RuleCounters other) => new(Packets + other.Packets, Bytes + other.Bytes);

    /// <summary>If a kernel ignores the table's name, it also sends the rules of other tables.</summary>
    private static RuleCounters OfRule(NftRule rule, string table) => rule.Place.Table != table
        ? default
        : rule.Expressions.Where(expression => expression.Name == "counter").Aggregate(default(RuleCounters), (sum, counter) => sum.Plus(OfCounter(counter.Attributes)));

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
