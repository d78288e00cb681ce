using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Writes a change of an entry: IPCTNL_MSG_CT_NEW without NLM_F_CREATE.</summary>
internal static class ChangeEncoder
{
    /// <summary>Writes a request that changes an entry.</summary>
    /// <param name="buffer">At least <see cref="NetlinkBatch.MaximumMessageSize"/> bytes.</param>
    /// <param name="address">Where the kernel finds the entry, and no other one.</param>
    /// <param name="change">What to change.</param>
    /// <param name="present">The entry as it is now: the kernel takes status as a whole, and SCTP's state with its tags.</param>
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

    /// <summary>The kernel makes each label (old AND NOT mask) XOR value.</summary>
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
