using System.Globalization;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Diagnosis;

/// <summary>Reads the counters by netlink: IPCTNL_MSG_CT_GET_STATS_CPU and IPCTNL_MSG_EXP_GET_STATS_CPU.</summary>
/// <remarks>One answer per processor, with its number in nfgenmsg.res_id. Needs CAP_NET_ADMIN.</remarks>
internal static class NetlinkCounterReader
{
    private const string Operation = "read the connection-tracking counters";

    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without the privilege.</exception>
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

/// <summary>Reads the counters from /proc/net/stat/nf_conntrack, which needs no privilege.</summary>
/// <remarks>A header line, then a line of hexadecimal numbers for each possible processor, in order. Columns are found by name: older
/// kernels count other things in columns with names that are not known here.</remarks>
internal static class ProcCounterReader
{
    /// <summary>The file of the thread's network namespace. /proc/net would be that of the process.</summary>
    public const string File = "/proc/thread-self/net/stat/nf_conntrack";

    private static readonly char[] Blank = [' ', '\t'];

    /// <returns>Empty if the kernel was built without CONFIG_NF_CONNTRACK_PROCFS.</returns>
    public static IReadOnlyList<CpuCounters> Read() =>
        System.IO.File.Exists(File) ? Parse(System.IO.File.ReadAllLines(File)) : [];

    internal static IReadOnlyList<CpuCounters> Parse(IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return [];
        Counter?[] columns = [.. Split(lines[0]).Select(CounterNames.Find)];
        return [.. lines.Skip(1).Select((line, cpu) => ParseLine(line, cpu, columns))];
    }

    private static CpuCounters ParseLine(string line, int cpu, Counter?[] columns)
    {
        CpuCounters processor = new(cpu);
        string[] values = Split(line);
        for (int i = 0; i < Math.Min(values.Length, columns.Length); i++)
        {
            // An invalid number stays absent, not 0.
            if (columns[i] is { } counter && uint.TryParse(values[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value))
                processor[counter] = value;
        }

        return processor;
    }

    private static string[] Split(string line) => line.Split(Blank, StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>The names of counters in text.</summary>
internal static class CounterNames
{
    /// <summary>The counter of a column of /proc/net/stat/nf_conntrack (ct_cpu_seq_show) or a word of <c>conntrack -S</c>; null for others.</summary>
    public static Counter? Find(string name) => name switch
    {
        "found" => Counter.Found,
        "invalid" => Counter.Invalid,
        "insert" => Counter.Insert,
        "insert_failed" => Counter.InsertFailed,
        "drop" => Counter.Drop,
        "early_drop" => Counter.EarlyDrop,
        "icmp_error" or "error" => Counter.Error,
        "search_restart" => Counter.SearchRestart,
        "clashres" or "clash_resolve" => Counter.ClashResolve,
        "chainlength" or "chaintoolong" => Counter.ChainTooLong,
        "expect_new" => Counter.ExpectationNew,
        "expect_create" => Counter.ExpectationCreate,
        "expect_delete" => Counter.ExpectationDelete,
        _ => null,
    };
}

/// <summary>CTA_STATS_* (enum ctattr_stats_cpu, linux/netfilter/nfnetlink_conntrack.h), without those that kernels no longer
/// send.</summary>
internal enum CpuStatsAttribute : ushort
{
    Found = 2,
    Invalid = 4,
    Insert = 8,
    InsertFailed,
    Drop,
    EarlyDrop,
    Error,
    SearchRestart,
    ClashResolve,
    ChainToolong,
}

/// <summary>CTA_STATS_EXP_* (enum ctattr_expect_stats).</summary>
internal enum ExpectationStatsAttribute : ushort
{
    New = 1,
    Create,
    Delete,
}
