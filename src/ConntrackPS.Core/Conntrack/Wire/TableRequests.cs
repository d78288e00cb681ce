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

    /// <summary>IPCTNL_MSG_CT_GET of the entry at an address.</summary>
    /// <param name="buffer">Where to write.</param>
    /// <param name="address">The tuple and its zone; an entry is found by either direction.</param>
    /// <param name="flags">NLM_F_ACK where the request goes alone.</param>
    /// <param name="resetCounter">Whether the entry's counters become 0 once they are read.</param>
    /// <returns>The message's length.</returns>
    public static int Get(Span<byte> buffer, in EntryAddress address, MessageFlags flags, bool resetCounter = false)
    {
        MessageWriter writer = new(buffer);
        ConntrackMessage message = resetCounter ? ConntrackMessage.GetCtrzero : ConntrackMessage.Get;
        writer.BeginMessage((ushort)message, flags, (byte)address.Tuple.Family);
        WriteAddress(ref writer, address);
        writer.EndMessage();
        return writer.Written.Length;
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
    /// <remarks>The kernel deletes nothing where the id is another one's: without an id it would take whatever entry has the
    /// tuple, in either direction.</remarks>
    /// <returns>The message's length.</returns>
    public static int Delete(Span<byte> buffer, in (EntryAddress Address, uint Id) entry)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Delete, MessageFlags.None, (byte)entry.Address.Tuple.Family);
        WriteAddress(ref writer, entry.Address);
        writer.PutUInt32((ushort)EntryAttribute.Id, entry.Id);
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

    public static void WriteAddress(ref MessageWriter writer, in EntryAddress address)
    {
        TupleCodec.Write(ref writer, address.Attribute, address.Tuple, address.TupleZone);
        if (address.Zone != 0)
            writer.PutUInt16((ushort)EntryAttribute.Zone, address.Zone);
    }
}
