using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>The requests about the table, as bytes.</summary>
internal static class TableRequests
{
    /// <summary>IPCTNL_MSG_CT_GET of a whole table, or of what the kernel's share of a filter lets through.</summary>
    /// <remarks>NLM_F_ACK costs nothing on a dump, and keeps one that the kernel refuses from hanging.</remarks>
    public static Span<byte> Dump(Span<byte> buffer, TableKind kind, KernelFilter filter)
    {
        ConntrackMessage message = kind switch
        {
            TableKind.Dying => ConntrackMessage.GetDying,
            TableKind.Unconfirmed => ConntrackMessage.GetUnconfirmed,
            _ => ConntrackMessage.Get,
        };
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)message, MessageFlags.Dump | MessageFlags.Ack, (byte)filter.Family);
        filter.WriteTo(ref writer);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>IPCTNL_MSG_CT_GET of the one entry that has this tuple, in either direction.</summary>
    /// <param name="buffer">Where to write.</param>
    /// <param name="key">The tuple and its zone.</param>
    /// <param name="resetCounter">Whether the entry's counters become 0 once they are read.</param>
    public static Span<byte> Get(Span<byte> buffer, in EntryKey key, bool resetCounter)
    {
        MessageWriter writer = new(buffer);
        ConntrackMessage message = resetCounter ? ConntrackMessage.GetCtrzero : ConntrackMessage.Get;
        writer.BeginMessage((ushort)message, MessageFlags.Ack, (byte)key.Original.Family);
        WriteKey(ref writer, key);
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
        WriteKey(ref writer, key);
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

    /// <summary>IPCTNL_MSG_CT_DELETE of every entry that the kernel's share of a filter lets through, guarded.</summary>
    /// <remarks>Version 1 makes the family count (5.3).</remarks>
    public static Span<byte> Flush(Span<byte> buffer, KernelFilter filter)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Delete, MessageFlags.Ack, (byte)filter.Family, version: 1);
        filter.WriteGuardedTo(ref writer);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    public static void WriteKey(ref MessageWriter writer, in EntryKey key)
    {
        TupleCodec.Write(ref writer, EntryAttribute.TupleOrig, key.Original, key.OriginalZone);
        if (key.Zone != 0)
            writer.PutUInt16((ushort)EntryAttribute.Zone, key.Zone);
    }
}
