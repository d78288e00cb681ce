using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>The part of a filter that goes into a request: CTA_MARK, CTA_STATUS, CTA_ZONE and CTA_FILTER with tuples.</summary>
/// <remarks>First supported in: family 4.20, CTA_FILTER in a dump 5.8, CTA_STATUS 5.15, CTA_ZONE 6.8, CTA_FILTER in a deletion 6.12. An
/// older kernel ignores unknown attributes, so every returned entry is checked again.</remarks>
internal sealed record KernelFilter
{
    public static readonly KernelFilter None = new();

    /// <summary>nfgenmsg.nfgen_family. Required with any tuple field.</summary>
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

    /// <summary>True if the kernel filters by nothing but a family.</summary>
    public bool IsEmpty => this with { Family = IPFamily.Unspecified } == None;

    /// <summary>Writes the attributes for a dump.</summary>
    public void WriteTo(ref MessageWriter writer)
    {
        WriteValues(ref writer);
        if (Original == TupleFilter.None && Reply == TupleFilter.None)
            return;
        Original.WriteTo(ref writer, EntryAttribute.TupleOrig);
        Reply.WriteTo(ref writer, EntryAttribute.TupleReply);
        WriteFlags(ref writer);
    }

    /// <summary>Writes the attributes for a deletion, with the guard: an empty or partial tuple. A kernel before 6.12 rejects it as
    /// malformed. Without the guard it would ignore the filter and delete more than was requested.</summary>
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

/// <summary>The fields of a tuple that the kernel compares (CTA_FILTER_F_*, net/netfilter/nf_conntrack_netlink.c).</summary>
[Flags]
internal enum TupleFields : uint
{
    None = 0,
    SourceAddress = 1 << 0,
    DestinationAddress = 1 << 1,
    Zone = 1 << 2,
    Protocol = 1 << 3,
    SourcePort = 1 << 4,
    DestinationPort = 1 << 5,
    IcmpType = 1 << 6,
    IcmpCode = 1 << 7,
    IcmpId = 1 << 8,
    IcmpV6Type = 1 << 9,
    IcmpV6Code = 1 << 10,
    IcmpV6Id = 1 << 11,

    Ports = SourcePort | DestinationPort,
}

/// <summary>The fields of one direction's tuple that the kernel compares. Only IPv4 addresses: the kernel inverts the comparison of IPv6
/// addresses (6.12 to 7.2). Only TCP and UDP ports: the kernel ignores others.</summary>
internal sealed record TupleFilter
{
    public static readonly TupleFilter None = new();

    public TupleFields Fields { get; init; }

    public uint SourceAddress { get; init; }

    public uint DestinationAddress { get; init; }

    public IPProtocol Protocol { get; init; }

    public ushort SourcePort { get; init; }

    public ushort DestinationPort { get; init; }

    public byte IcmpType { get; init; }

    public byte IcmpCode { get; init; }

    public ushort IcmpId { get; init; }

    /// <summary>The filter with one more field.</summary>
    public TupleFilter With(TupleFields field, uint value)
    {
        TupleFilter filter = this with { Fields = Fields | field };
        return field switch
        {
            TupleFields.SourceAddress => filter with { SourceAddress = value },
            TupleFields.DestinationAddress => filter with { DestinationAddress = value },
            TupleFields.Protocol => filter with { Protocol = (IPProtocol)value },
            TupleFields.SourcePort => filter with { SourcePort = (ushort)value },
            TupleFields.DestinationPort => filter with { DestinationPort = (ushort)value },
            TupleFields.IcmpType or TupleFields.IcmpV6Type => filter with { IcmpType = (byte)value },
            TupleFields.IcmpCode or TupleFields.IcmpV6Code => filter with { IcmpCode = (byte)value },
            TupleFields.IcmpId or TupleFields.IcmpV6Id => filter with { IcmpId = (ushort)value },
            _ => throw new ArgumentOutOfRangeException(nameof(field), field, "The kernel compares no single field of that kind."),
        };
    }

    /// <summary>Writes the fields as a nest, or nothing if there are none.</summary>
    public void WriteTo(ref MessageWriter writer, EntryAttribute type)
    {
        if (Fields == TupleFields.None)
            return;
        MessageWriter.Nest tuple = writer.BeginNest((ushort)type);
        if ((Fields & (TupleFields.SourceAddress | TupleFields.DestinationAddress)) != 0)
        {
            MessageWriter.Nest addresses = writer.BeginNest((ushort)TupleAttribute.Ip);
            if (Has(TupleFields.SourceAddress))
                writer.PutUInt32((ushort)AddressAttribute.V4Src, SourceAddress);
            if (Has(TupleFields.DestinationAddress))
                writer.PutUInt32((ushort)AddressAttribute.V4Dst, DestinationAddress);
            writer.EndNest(addresses);
        }

        if (Has(TupleFields.Protocol))
            WriteProtocol(ref writer);
        writer.EndNest(tuple);
    }

    private void WriteProtocol(ref MessageWriter writer)
    {
        MessageWriter.Nest protocol = writer.BeginNest((ushort)TupleAttribute.Proto);
        writer.PutByte((ushort)ProtocolAttribute.Num, (byte)Protocol);
        if (Has(TupleFields.SourcePort))
            writer.PutUInt16((ushort)ProtocolAttribute.SrcPort, SourcePort);
        if (Has(TupleFields.DestinationPort))
            writer.PutUInt16((ushort)ProtocolAttribute.DstPort, DestinationPort);
        if (Has(TupleFields.IcmpType | TupleFields.IcmpV6Type))
            writer.PutByte((ushort)(Has(TupleFields.IcmpType) ? ProtocolAttribute.IcmpType : ProtocolAttribute.Icmpv6Type), IcmpType);
        if (Has(TupleFields.IcmpCode | TupleFields.IcmpV6Code))
            writer.PutByte((ushort)(Has(TupleFields.IcmpCode) ? ProtocolAttribute.IcmpCode : ProtocolAttribute.Icmpv6Code), IcmpCode);
        if (Has(TupleFields.IcmpId | TupleFields.IcmpV6Id))
            writer.PutUInt16((ushort)(Has(TupleFields.IcmpId) ? ProtocolAttribute.IcmpId : ProtocolAttribute.Icmpv6Id), IcmpId);
        writer.EndNest(protocol);
    }

    private bool Has(TupleFields fields) => (Fields & fields) != 0;
}
