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
