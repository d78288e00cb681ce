using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>The requests about the table, as bytes.</summary>
internal static class TableRequests
{
    /// <summary>IPCTNL_MSG_CT_GET of the whole table, or of one address family.</summary>
    /// <remarks>NLM_F_ACK costs nothing on a dump, and keeps one that the kernel refuses from hanging.</remarks>
    public static Span<byte> Dump(Span<byte> buffer, IPFamily family)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Get, MessageFlags.Dump | MessageFlags.Ack, (byte)family);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>IPCTNL_MSG_CT_GET_STATS, which every kernel with conntrack netlink answers.</summary>
    public static Span<byte> GetStats(Span<byte> buffer)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.GetStats, MessageFlags.Ack, 0);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>IPCTNL_MSG_CT_DELETE of one entry; without acknowledgement, since only refusals are of interest.</summary>
    /// <returns>The message's length.</returns>
    public static int Delete(Span<byte> buffer, in EntryKey key)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Delete, MessageFlags.None, (byte)key.Original.Family);
        TupleCodec.Write(ref writer, EntryAttribute.TupleOrig, key.Original, key.OriginalZone);
        if (key.Zone != 0)
            writer.PutUInt16((ushort)EntryAttribute.Zone, key.Zone);
        if (key.Id is { } id)
            writer.PutUInt32((ushort)EntryAttribute.Id, id);
        writer.EndMessage();
        return writer.Written.Length;
    }

    /// <summary>IPCTNL_MSG_CT_DELETE of every entry.</summary>
    public static Span<byte> Flush(Span<byte> buffer)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Delete, MessageFlags.Ack, 0);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>IPCTNL_MSG_CT_DELETE of every entry of one address family.</summary>
    /// <remarks>Guarded: a kernel that does not know filters in a deletion (before 6.12) takes the empty tuple for a
    /// broken one and refuses, where it would otherwise delete more than was asked.</remarks>
    public static Span<byte> FlushFamily(Span<byte> buffer, IPFamily family)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Delete, MessageFlags.Ack, (byte)family, version: 1);
        writer.EndNest(writer.BeginNest((ushort)EntryAttribute.TupleOrig));
        MessageWriter.Nest filter = writer.BeginNest((ushort)EntryAttribute.Filter);
        writer.PutHostUInt32((ushort)FilterAttribute.OrigFlags, 0);
        writer.EndNest(filter);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }
}
