using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Diagnosis.Statistics;

/// <summary>Asks for the counters by netlink: IPCTNL_MSG_CT_GET_STATS_CPU and IPCTNL_MSG_EXP_GET_STATS_CPU.</summary>
/// <remarks>An answer for each processor, whose number is in nfgenmsg.res_id. Needs CAP_NET_ADMIN.</remarks>
internal static class NetlinkCounterReader
{
    private const string Operation = "read the connection-tracking counters";

    /// <exception cref="NetlinkException">The kernel refused: EPERM without the privilege.</exception>
    public static IReadOnlyList<CpuCounters> Read(NetlinkConnection connection)
    {
        List<CpuCounters> processors = [];
        Dump(connection, (ushort)ConntrackMessage.GetStatsCpu, processors.Clear, message => processors.Add(Decode(message)));
        Dump(connection, (ushort)ExpectationMessage.GetStatsCpu, () => { }, message =>
        {
            int cpu = message.ResourceId;
            if (processors.Find(processor => processor.Cpu == cpu) is { } processor)
                DecodeExpectations(message, processor);
        });
        return processors;
    }

    internal static CpuCounters Decode(NetlinkMessage message)
    {
        CpuCounters processor = new(message.ResourceId);
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            if (ToCounter((CpuStatsAttribute)attributes.Type) is { } counter)
                processor[counter] = attributes.UInt32;
        }

        return processor;
    }

    internal static void DecodeExpectations(NetlinkMessage message, CpuCounters processor)
    {
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            if (ToCounter((ExpectationStatsAttribute)attributes.Type) is { } counter)
                processor[counter] = attributes.UInt32;
        }
    }

    private static void Dump(NetlinkConnection connection, ushort type, Action onBegin, MessageHandler onMessage)
    {
        byte[] request = new byte[NetlinkProtocol.HeaderSize + NetlinkProtocol.NetfilterHeaderSize];
        MessageWriter writer = new(request);
        writer.BeginMessage(type, MessageFlags.Dump | MessageFlags.Ack, 0);
        writer.EndMessage();
        connection.ReadDump(request, Operation, onBegin, onMessage);
    }

    private static Counter? ToCounter(CpuStatsAttribute attribute) => attribute switch
    {
        CpuStatsAttribute.Found => Counter.Found,
        CpuStatsAttribute.Invalid => Counter.Invalid,
        CpuStatsAttribute.Insert => Counter.Insert,
        CpuStatsAttribute.InsertFailed => Counter.InsertFailed,
        CpuStatsAttribute.Drop => Counter.Drop,
        CpuStatsAttribute.EarlyDrop => Counter.EarlyDrop,
        CpuStatsAttribute.Error => Counter.Error,
        CpuStatsAttribute.SearchRestart => Counter.SearchRestart,
        CpuStatsAttribute.ClashResolve => Counter.ClashResolve,
        CpuStatsAttribute.ChainToolong => Counter.ChainTooLong,
        _ => null,
    };

    private static Counter? ToCounter(ExpectationStatsAttribute attribute) => attribute switch
    {
        ExpectationStatsAttribute.New => Counter.ExpectationNew,
        ExpectationStatsAttribute.Create => Counter.ExpectationCreate,
        ExpectationStatsAttribute.Delete => Counter.ExpectationDelete,
        _ => null,
    };
}
