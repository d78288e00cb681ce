using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The number of entries in a network namespace: nf_conntrack_count, read by netlink (IPCTNL_MSG_CT_GET_STATS). The answer applies
/// to the namespace of the socket, and takes a few microseconds.</summary>
/// <remarks>The kernel counts an entry from its allocation until it is freed: also unconfirmed and dying entries, and expired ones that are
/// not removed yet.</remarks>
internal static class TableCount
{
    /// <summary>Reads the count.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    public static uint Read(NetlinkConnection connection) => Ask(connection) ?? 0;

    /// <summary>Reads the counts of many network namespaces, a few in parallel.</summary>
    /// <returns>The counts in the order of the namespaces. Null if the kernel does not report the count, or the namespace can't be
    /// entered.</returns>
    public static uint?[] ReadAll(IReadOnlyList<NetworkNamespace> namespaces) => NetworkNamespace.RunInAll(namespaces, () =>
    {
        using NetlinkConnection connection = NetlinkConnection.Open(null);
        return TryRead(connection);
    });

    /// <summary>Reads the count where it is useful but not required.</summary>
    /// <returns>Null if the kernel does not report it. The following requests then show any error.</returns>
    public static uint? TryRead(NetlinkConnection connection)
    {
        try
        {
            return Ask(connection);
        }
        catch (NetlinkException exception) when (exception.Errno != Errno.TimedOut)
        {
            return null;
        }
    }

    /// <summary>Reads CTA_STATS_GLOBAL_ENTRIES of an answer.</summary>
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static uint? Decode(NetlinkMessage message)
    {
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            if (attributes.Type == (ushort)StatsAttribute.Entries)
                return attributes.UInt32;
        }

        return null;
    }

    private static uint? Ask(NetlinkConnection connection)
    {
        uint? count = null;
        connection.Request(
            TableRequests.GetStats(new byte[NetlinkBatch.MaximumMessageSize]), "count connection-tracking entries",
            message => count = Decode(message) ?? count);
        return count;
    }
}

/// <summary>The fill of a table, from the kernel's values below /proc/sys/net/netfilter.</summary>
internal static class TableFill
{
    /// <summary>Entries as a percentage of the maximum. 0 if there is no limit.</summary>
    public static double Percent(long count, long maximum) => maximum == 0 ? 0 : Math.Round(100.0 * count / maximum, 2);

    /// <summary>Like Percent, with values read from a network namespace.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static double ReadPercent(NetworkNamespace? networkNamespace) =>
        NetworkNamespace.RunIn(networkNamespace, () => Percent(Figure("nf_conntrack_count"), Figure("nf_conntrack_max")));

    /// <summary>One value of the calling thread's namespace, such as nf_conntrack_count.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    public static long Figure(string name) =>
        Sysctl.ReadNumber(Sysctl.Netfilter + name) ?? throw new ConntrackUnavailableException("This kernel has no connection tracking.");
}
