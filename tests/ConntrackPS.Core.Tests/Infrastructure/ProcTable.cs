namespace ConntrackPS.Tests.Infrastructure;

/// <summary>What /proc/net/nf_conntrack shows of a namespace's table.</summary>
internal static class ProcTable
{
    public static List<FlowRecord> List(NetworkNamespaceFixture ns) =>
        [.. ns.Exec("cat", "/proc/net/nf_conntrack")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(FlowLine.Parse)];
}
