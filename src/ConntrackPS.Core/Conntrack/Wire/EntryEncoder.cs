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
        if (entry.Mark != 0)
            writer.PutUInt32((ushort)EntryAttribute.Mark, entry.Mark);
        if (entry.Has(EntryFields.State))
            WriteProtoinfo(ref writer, entry);
        if (entry.Details is { } details)
            WriteDetails(ref writer, details);
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

    private static void WriteProtoinfo(ref MessageWriter writer, ConntrackEntry entry)
    {
        if (ConntrackStates.ToKernel(entry.Protocol, entry.RawState) is not { } state)
            return;
        MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Protoinfo);
        if (entry.Protocol == IPProtocol.Tcp)
            WriteTcp(ref writer, entry, state);
        else if (entry.Protocol == IPProtocol.Sctp)
            WriteSctp(ref writer, entry, state);
        writer.EndNest(nest);
    }

    private static void WriteTcp(ref MessageWriter writer, ConntrackEntry entry, byte state)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)ProtoinfoAttribute.Tcp);
        writer.PutByte((ushort)TcpAttribute.State, state);

        // The kernel takes window scales as a pair only.
        if (entry.Has(EntryFields.OriginalWindowScale) && entry.Has(EntryFields.ReplyWindowScale))
        {
            writer.PutByte((ushort)TcpAttribute.WscaleOriginal, entry.RawOriginalWindowScale);
            writer.PutByte((ushort)TcpAttribute.WscaleReply, entry.RawReplyWindowScale);
        }

        // struct nf_ct_tcp_flags: the flags, and which of them to set.
        if (entry.Has(EntryFields.OriginalTcpFlags))
            writer.Put((ushort)TcpAttribute.FlagsOriginal, [(byte)entry.RawOriginalTcpFlags, byte.MaxValue]);
        if (entry.Has(EntryFields.ReplyTcpFlags))
            writer.Put((ushort)TcpAttribute.FlagsReply, [(byte)entry.RawReplyTcpFlags, byte.MaxValue]);
        writer.EndNest(nest);
    }

    private static void WriteSctp(ref MessageWriter writer, ConntrackEntry entry, byte state)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)ProtoinfoAttribute.Sctp);
        writer.PutByte((ushort)SctpAttribute.State, state);

        // The kernel wants all three or none.
        writer.PutUInt32((ushort)SctpAttribute.VtagOriginal, entry.OriginalVerificationTag ?? 0);
        writer.PutUInt32((ushort)SctpAttribute.VtagReply, entry.ReplyVerificationTag ?? 0);
        writer.EndNest(nest);
    }

    private static void WriteDetails(ref MessageWriter writer, EntryDetails details)
    {
        if (details.Labels is { IsEmpty: false } labels)
        {
            Span<byte> bits = stackalloc byte[LabelBits.Count / 8];
            labels.CopyTo(bits);
            writer.Put((ushort)EntryAttribute.Labels, bits);
        }

        if (details.Helper is { } helper)
        {
            MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Help);
            writer.PutText((ushort)HelperAttribute.Name, helper);
            writer.EndNest(nest);
        }

        if (details.Master is { } master)
            TupleCodec.Write(ref writer, EntryAttribute.TupleMaster, master);
        WriteSequence(ref writer, EntryAttribute.SeqAdjOrig, details.OriginalSequence);
        WriteSequence(ref writer, EntryAttribute.SeqAdjReply, details.ReplySequence);
        if (details is { SynproxyIsn: { } isn, SynproxyIts: { } its, SynproxyTimestampOffset: { } offset })
        {
            MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Synproxy);
            writer.PutUInt32((ushort)SynproxyAttribute.Isn, isn);
            writer.PutUInt32((ushort)SynproxyAttribute.Its, its);
            writer.PutUInt32((ushort)SynproxyAttribute.Tsoff, offset);
            writer.EndNest(nest);
        }
    }

    private static void WriteSequence(ref MessageWriter writer, EntryAttribute type, SequenceAdjustment? adjustment)
    {
        if (adjustment is null)
            return;
        MessageWriter.Nest nest = writer.BeginNest((ushort)type);
        writer.PutUInt32((ushort)SequenceAttribute.CorrectionPos, adjustment.CorrectionPosition);
        writer.PutUInt32((ushort)SequenceAttribute.OffsetBefore, (uint)adjustment.OffsetBefore);
        writer.PutUInt32((ushort)SequenceAttribute.OffsetAfter, (uint)adjustment.OffsetAfter);
        writer.EndNest(nest);
    }
}
