using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>The elements of a set that rules add to.</summary>
internal static class SetElements
{
    /// <summary>Counts the elements (NFT_MSG_GETSETELEM). Newer kernels could tell the number, older ones only list them.</summary>
    /// <returns>0 if there is no such set.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public static int Count(NetlinkConnection connection, string table, string set)
    {
        int count = 0;
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Getsetelem, MessageFlags.Dump | MessageFlags.Ack, (byte)NetfilterProtocol.Inet);
        writer.PutText((ushort)SetElementListAttribute.Table, table);
        writer.PutText((ushort)SetElementListAttribute.Set, set);
        writer.EndMessage();
        try
        {
            connection.ReadDump(writer.Written.ToArray(), "count the elements of a set", () => count = 0, message => count += In(message));
        }
        catch (NetlinkException exception) when (exception.Errno == Errno.NotFound)
        {
            return 0;
        }

        return count;
    }

    private static int In(NetlinkMessage message)
    {
        int count = 0;
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            if (attributes.Type != (ushort)SetElementListAttribute.Elements)
                continue;
            AttributeReader elements = attributes.Nested;
            while (elements.Read())
                count++;
        }

        return count;
    }
}
