namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The content of /proc/net/nf_conntrack in a namespace.</summary>
internal static class ProcTable
{
    public static List<FlowRecord> List(NetworkNamespaceFixture ns) =>
        [.. ns.Exec("cat", "/proc/net/nf_conntrack")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(FlowLine.Parse)];
}
