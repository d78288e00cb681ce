using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>The part of a filter that goes into a request: CTA_MARK, CTA_STATUS, CTA_ZONE and CTA_FILTER with tuples.</summary>
/// <remarks>First kernels: family 4.20, CTA_FILTER in a dump 5.8, CTA_STATUS 5.15, CTA_ZONE 6.8, CTA_FILTER in a deletion
/// 6.12. An older kernel ignores what it doesn't know, so that whatever it returns is checked again.</remarks>
internal sealed record KernelFilter
{
    public static readonly KernelFilter None = new();

    /// <summary>nfgenmsg.nfgen_family; needed with any tuple field.</summary>
    public IPFamily Family { get; init; }

    /// <summary>CTA_MARK and CTA_MARK_MASK, always both.</summary>
    public (uint Value, uint Mask)? Mark { get; init; }

    /// <summary>CTA_STATUS and CTA_STATUS_MASK, always both.</summary>
    public (ConntrackStatus Value, ConntrackStatus Mask)? Status { get; init; }

    /// <summary>CTA_ZONE.</summary>
    public ushort? Zone { get; init; }

    /// <summary>CTA_TUPLE_ORIG and CTA_FILTER_ORIG_FLAGS.</summary>
    public TupleFilter Original { get; init; } = TupleFilter.None;

    /// <summary>CTA_TUPLE_REPLY and CTA_FILTER_REPLY_FLAGS.</summary>
    public TupleFilter Reply { get; init; } = TupleFilter.None;

    /// <summary>True where the kernel is asked for no more than a family.</summary>
    public bool IsEmpty => this with { Family = IPFamily.Unspecified } == None;

    /// <summary>Writes the attributes of a dump.</summary>
    public void WriteTo(ref MessageWriter writer)
    {
        WriteValues(ref writer);
        if (Original == TupleFilter.None && Reply == TupleFilter.None)
            return;
        Original.WriteTo(ref writer, EntryAttribute.TupleOrig);
        Reply.WriteTo(ref writer, EntryAttribute.TupleReply);
        WriteFlags(ref writer);
    }

    /// <summary>Writes the attributes of a deletion, with the guard: a kernel before 6.12 takes the tuple, empty or in
    /// part, for a broken one and refuses, where it would otherwise delete more than was asked.</summary>
    public void WriteGuardedTo(ref MessageWriter writer)
    {
        WriteValues(ref writer);
        if (Original == TupleFilter.None)
            writer.EndNest(writer.BeginNest((ushort)EntryAttribute.TupleOrig));
        Original.WriteTo(ref writer, EntryAttribute.TupleOrig);
        Reply.WriteTo(ref writer, EntryAttribute.TupleReply);
        WriteFlags(ref writer);
    }

    private void WriteValues(ref MessageWriter writer)
    {
        if (Mark is { } mark)
        {
            writer.PutUInt32((ushort)EntryAttribute.Mark, mark.Value);
            writer.PutUInt32((ushort)EntryAttribute.MarkMask, mark.Mask);
        }

        if (Status is { } status)
        {
            writer.PutUInt32((ushort)EntryAttribute.Status, (uint)status.Value);
            writer.PutUInt32((ushort)EntryAttribute.StatusMask, (uint)status.Mask);
        }

        if (Zone is { } zone)
            writer.PutUInt16((ushort)EntryAttribute.Zone, zone);
    }

    private void WriteFlags(ref MessageWriter writer)
    {
        MessageWriter.Nest filter = writer.BeginNest((ushort)EntryAttribute.Filter);
        writer.PutHostUInt32((ushort)FilterAttribute.OrigFlags, (uint)Original.Fields);
        if (Reply != TupleFilter.None)
            writer.PutHostUInt32((ushort)FilterAttribute.ReplyFlags, (uint)Reply.Fields);
        writer.EndNest(filter);
    }
}
