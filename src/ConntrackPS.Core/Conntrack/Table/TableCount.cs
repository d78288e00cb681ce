using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>How many entries a network namespace has: nf_conntrack_count, asked by netlink (IPCTNL_MSG_CT_GET_STATS), which
/// answers for the namespace of the socket in some microseconds.</summary>
/// <remarks>The kernel counts an entry from its allocation until it is freed: unconfirmed and dying ones too, and those whose time
/// is up and that are still to be found.</remarks>
internal static class TableCount
{
    /// <summary>Asks for the count.</summary>
    /// <exception cref="NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    public static uint Read(NetlinkConnection connection) => Ask(connection) ?? 0;

    /// <summary>Asks for the counts of many network namespaces, a few at once.</summary>
    /// <returns>In their order; null where the kernel does not tell, or the namespace can't be entered.</returns>
    public static uint?[] ReadAll(IReadOnlyList<NetworkNamespace> namespaces) => NetworkNamespace.RunInAll(namespaces, () =>
    {
        using NetlinkConnection connection = NetlinkConnection.Open(null);
        return TryRead(connection);
    });

    /// <summary>Asks for the count, where it helps and is not needed.</summary>
    /// <returns>Null where the kernel does not tell; whatever is wrong then shows in what comes after.</returns>
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

    /// <summary>CTA_STATS_GLOBAL_ENTRIES of an answer.</summary>
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

/// <summary>How full a table is, by the kernel's figures below /proc/sys/net/netfilter.</summary>
internal static class TableFill
{
    /// <summary>Entries as a share of the maximum, in percent; 0 without a limit.</summary>
    public static double Percent(long count, long maximum) => maximum == 0 ? 0 : Math.Round(100.0 * count / maximum, 2);

    /// <summary>The same, read of a network namespace.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static double ReadPercent(NetworkNamespace? networkNamespace) =>
        NetworkNamespace.RunIn(networkNamespace, () => Percent(Figure("nf_conntrack_count"), Figure("nf_conntrack_max")));

    /// <summary>One figure of the calling thread's namespace, such as nf_conntrack_count.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    public static long Figure(string name) =>
        Sysctl.ReadNumber(Sysctl.Netfilter + name) ?? throw new ConntrackUnavailableException("This kernel has no connection tracking.");
}
