namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The netfilter sockets of a namespace that have joined multicast groups, from /proc/net/netlink.</summary>
internal static class EventListeners
{
    /// <summary>The receive queue of each socket, in bytes. The columns: socket, protocol, port, groups, receive queue.</summary>
    public static IEnumerable<string> ReadQueues(NetworkNamespaceFixture ns) => ns.Exec("cat", "/proc/net/netlink").Split('\n')
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(columns => columns is [_, "12", _, not "00000000", ..])
        .Select(columns => columns[4]);
}
