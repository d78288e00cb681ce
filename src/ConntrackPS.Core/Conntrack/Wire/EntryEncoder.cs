using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Writes an entry as the kernel takes it in IPCTNL_MSG_CT_NEW: all that can be restored, and nothing else.</summary>
internal static class EntryEncoder
{
    /// <summary>Bits that follow from other attributes, or that the kernel refuses or ignores.</summary>
    private const ConntrackStatus NotSettable =
        ConntrackStatus.SrcNat | ConntrackStatus.DstNat | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone
        | ConntrackStatus.SeqAdjust | ConntrackStatus.Dying | ConntrackStatus.Template | ConntrackStatus.Untracked
        | ConntrackStatus.Expected | ConntrackStatus.Helper | ConntrackStatus.Offload | ConntrackStatus.HwOffload;

    /// <summary>Writes a request that creates the entry.</summary>
    /// <param name="buffer">At least <see cref="NetlinkBatch.MaximumMessageSize"/> bytes.</param>
    /// <param name="entry">The entry; tuples and timeout are needed, the rest as it is there.</param>
    /// <param name="flags">NLM_F_CREATE, and NLM_F_EXCL where an entry that exists is an error.</param>
    /// <returns>The message's length.</returns>
    public static int Create(Span<byte> buffer, ConntrackEntry entry, MessageFlags flags)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.New, flags, (byte)entry.Original.Family);
        TupleCodec.Write(ref writer, EntryAttribute.TupleOrig, entry.Original, entry.OriginalZone);
        WriteReply(ref writer, entry);
        if (entry.Zone != 0)
            writer.PutUInt16((ushort)EntryAttribute.Zone, entry.Zone);
        writer.PutUInt32((ushort)EntryAttribute.Timeout, entry.RawTimeout);
        writer.PutUInt32((ushort)EntryAttribute.Status, (uint)(entry.Status & ~NotSettable | ConntrackStatus.Confirmed));
        if (entry.RawMark != 0)
            writer.PutUInt32((ushort)EntryAttribute.Mark, entry.RawMark);
        if (entry.Has(EntryFields.State))
            ProtoinfoEncoder.Write(ref writer, entry);
        if (entry.Details is { } details)
            DetailsEncoder.Write(ref writer, details);
        writer.EndMessage();
        return writer.Written.Length;
    }

    /// <summary>A translated entry is given its plain reply and the translation; the kernel then makes the reply and the
    /// status bits, which it does not take as they are.</summary>
    private static void WriteReply(ref MessageWriter writer, ConntrackEntry entry)
    {
        ConntrackTuple original = entry.Original, reply = entry.Reply;
        if ((entry.Status & ConntrackStatus.SrcNat) != 0)
        {
            WriteNat(ref writer, EntryAttribute.NatSrc, reply, reply.Destination, reply.IsIcmp ? reply.SourcePort : reply.DestinationPort);
            reply = reply with { Destination = original.Source };
            reply = reply.IsIcmp ? reply with { SourcePort = original.SourcePort } : reply with { DestinationPort = original.SourcePort };
        }

        if ((entry.Status & ConntrackStatus.DstNat) != 0)
        {
            WriteNat(ref writer, EntryAttribute.NatDst, reply, reply.Source, reply.IsIcmp ? null : reply.SourcePort);
            reply = reply with { Source = original.Destination };
            if (!reply.IsIcmp)
                reply = reply with { SourcePort = original.DestinationPort };
        }

        TupleCodec.Write(ref writer, EntryAttribute.TupleReply, reply, entry.ReplyZone);
    }

    private static void WriteNat(
        ref MessageWriter writer, EntryAttribute type, in ConntrackTuple tuple, AddressBits address, ushort? port)
    {
        Span<byte> bytes = stackalloc byte[16];
        Span<byte> written = bytes[..address.CopyTo(tuple.Family, bytes)];
        bool isIPv6 = tuple.Family == IPFamily.IPv6;
        MessageWriter.Nest nest = writer.BeginNest((ushort)type);
        writer.Put((ushort)(isIPv6 ? NatAttribute.V6Minip : NatAttribute.V4Minip), written);
        writer.Put((ushort)(isIPv6 ? NatAttribute.V6Maxip : NatAttribute.V4Maxip), written);
        if (tuple.HasPorts && port is { } exact)
        {
            MessageWriter.Nest protocol = writer.BeginNest((ushort)NatAttribute.Proto);
            writer.PutUInt16((ushort)NatProtocolAttribute.PortMin, exact);
            writer.PutUInt16((ushort)NatProtocolAttribute.PortMax, exact);
            writer.EndNest(protocol);
        }

        writer.EndNest(nest);
    }
}
