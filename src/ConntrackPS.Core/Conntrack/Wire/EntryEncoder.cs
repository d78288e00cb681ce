using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Writes an entry for IPCTNL_MSG_CT_NEW: all values that can be restored, and nothing else.</summary>
internal static class EntryEncoder
{
    /// <summary>Bits that are set by other attributes, or that the kernel refuses or ignores.</summary>
    private const ConntrackStatus NotSettable =
        ConntrackStatus.SrcNat | ConntrackStatus.DstNat | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone
        | ConntrackStatus.SeqAdjust | ConntrackStatus.Dying | ConntrackStatus.Template | ConntrackStatus.Untracked
        | ConntrackStatus.Expected | ConntrackStatus.Helper | ConntrackStatus.Offload | ConntrackStatus.HwOffload;

    /// <summary>Writes a request that creates the entry.</summary>
    /// <param name="buffer">At least <see cref="NetlinkBatch.MaximumMessageSize"/> bytes.</param>
    /// <param name="entry">The entry. Tuples and timeout are required, other values are optional.</param>
    /// <param name="flags">NLM_F_CREATE, and NLM_F_EXCL if an existing entry is an error.</param>
    /// <returns>The message's length.</returns>
    public static int Create(Span<byte> buffer, ConntrackEntry entry, MessageFlags flags)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.New, flags, (byte)entry.Original.Family);
        TupleCodec.Write(ref writer, EntryAttribute.TupleOrig, entry.Original, entry.OriginalZone);
        WriteReply(ref writer, entry);
        if (entry.Zone != 0)
            writer.PutUInt16((ushort)EntryAttribute.Zone, entry.Zone);
        writer.PutUInt32((ushort)EntryAttribute.Timeout, entry.Data.Timeout);
        writer.PutUInt32((ushort)EntryAttribute.Status, (uint)(entry.Status & ~NotSettable | ConntrackStatus.Confirmed));
        if (entry.Data.Mark != 0)
            writer.PutUInt32((ushort)EntryAttribute.Mark, entry.Data.Mark);
        if (entry.Has(EntryFields.State))
            ProtoinfoEncoder.Write(ref writer, entry);
        if (entry.Details is { } details)
            DetailsEncoder.Write(ref writer, details);
        writer.EndMessage();
        return writer.Written.Length;
    }

    /// <summary>For a translated entry, writes the untranslated reply and the translation. The kernel then creates the reply and the status
    /// bits, which it does not accept directly.</summary>
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

/// <summary>Writes the attributes that few entries have.</summary>
internal static class DetailsEncoder
{
    public static void Write(ref MessageWriter writer, EntryDetails details)
    {
        if (details.Labels is { IsEmpty: false } labels)
            PutLabels(ref writer, EntryAttribute.Labels, labels);
        if (details.Helper is { } helper)
            WriteHelper(ref writer, helper);

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

    public static void WriteHelper(ref MessageWriter writer, string helper)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Help);
        writer.PutText((ushort)HelperAttribute.Name, helper);
        writer.EndNest(nest);
    }

    public static void PutLabels(ref MessageWriter writer, EntryAttribute type, LabelBits labels)
    {
        Span<byte> bits = stackalloc byte[LabelBits.Count / 8];
        labels.CopyTo(bits);
        writer.Put((ushort)type, bits);
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

/// <summary>Writes a change of an entry: IPCTNL_MSG_CT_NEW without NLM_F_CREATE.</summary>
internal static class ChangeEncoder
{
    /// <summary>Writes a request that changes an entry.</summary>
    /// <param name="buffer">At least <see cref="NetlinkBatch.MaximumMessageSize"/> bytes.</param>
    /// <param name="address">The address of exactly this entry.</param>
    /// <param name="change">The change.</param>
    /// <param name="present">The current entry: the kernel requires the whole status, and the SCTP state together with its tags.</param>
    /// <returns>The message's length.</returns>
    public static int Encode(Span<byte> buffer, in EntryAddress address, EntryChange change, ConntrackEntry present)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ConntrackMessage.New, MessageFlags.None, (byte)address.Tuple.Family);
        TableRequests.WriteAddress(ref writer, address);
        if (change.TimeoutSeconds is { } timeout)
            writer.PutUInt32((ushort)EntryAttribute.Timeout, timeout);
        if (change.SetStatus is { } bits)
            writer.PutUInt32((ushort)EntryAttribute.Status, (uint)(bits | present.Status));
        if (change.Mark is { } mark)
        {
            writer.PutUInt32((ushort)EntryAttribute.Mark, mark.Value);
            writer.PutUInt32((ushort)EntryAttribute.MarkMask, mark.Mask);
        }

        if (change.State is { } state && ConntrackStates.ToKernel(present.Protocol, state) is { } number)
            ProtoinfoEncoder.WriteState(ref writer, number, present);
        WriteLabels(ref writer, change);
        if (change.Helper is { } helper)
            DetailsEncoder.WriteHelper(ref writer, helper);
        writer.EndMessage();
        return writer.Written.Length;
    }

    /// <summary>The kernel computes each label as (old AND NOT mask) XOR value.</summary>
    private static void WriteLabels(ref MessageWriter writer, EntryChange change)
    {
        if (change.AddLabel.Count == 0 && change.RemoveLabel.Count == 0)
            return;
        LabelBits value = change.AddLabel.Aggregate(default(LabelBits), (bits, bit) => bits.With(bit));
        LabelBits mask = change.RemoveLabel.Aggregate(value, (bits, bit) => bits.With(bit));
        DetailsEncoder.PutLabels(ref writer, EntryAttribute.Labels, value);
        DetailsEncoder.PutLabels(ref writer, EntryAttribute.LabelsMask, mask);
    }
}
