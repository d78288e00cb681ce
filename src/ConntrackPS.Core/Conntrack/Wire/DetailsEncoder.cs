using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

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
