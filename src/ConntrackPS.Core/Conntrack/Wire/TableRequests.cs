using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Builds the requests about the table.</summary>
internal static class TableRequests
{
    /// <summary>IPCTNL_MSG_CT_GET for a whole table, or for the entries that match the kernel's part of a filter.</summary>
    /// <remarks>NLM_F_ACK has no cost in a dump. Without it the reader would wait forever for a dump that the kernel refuses.</remarks>
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

    /// <summary>IPCTNL_MSG_CT_GET for the entry at an address.</summary>
    /// <param name="buffer">The buffer to write to.</param>
    /// <param name="address">The tuple and its zone. The kernel finds an entry by either direction.</param>
    /// <param name="flags">NLM_F_ACK for a single request.</param>
    /// <param name="resetCounter">True to reset the entry's counters to 0 after reading.</param>
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

    /// <summary>IPCTNL_MSG_CT_GET_STATS. Every kernel with conntrack netlink supports it.</summary>
    public static Span<byte> GetStats(Span<byte> buffer)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.GetStats, MessageFlags.Ack, 0);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>IPCTNL_MSG_CT_DELETE for one entry, without acknowledgement, because only refusals are needed.</summary>
    /// <remarks>The kernel deletes nothing if the id differs. Without an id it would delete any entry that has the tuple, in either
    /// direction.</remarks>
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

    /// <summary>IPCTNL_MSG_CT_DELETE for every entry.</summary>
    public static Span<byte> Flush(Span<byte> buffer)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.Delete, MessageFlags.Ack, 0);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>IPCTNL_MSG_CT_DELETE for every entry that matches the kernel's part of a filter, with the guard.</summary>
    /// <remarks>Version 1 makes the kernel check the family (5.3).</remarks>
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
