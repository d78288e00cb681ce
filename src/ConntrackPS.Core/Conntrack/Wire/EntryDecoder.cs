using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Fills an entry from a conntrack message. Unknown attributes are skipped. Truncated attributes and malformed lengths are
/// errors.</summary>
internal static class EntryDecoder
{
    /// <summary>CTA_SYNPROXY of every entry that a program created through netlink: three zeros.</summary>
    private static ReadOnlySpan<byte> UnusedSynproxy => BitConverter.IsLittleEndian
        ? [8, 0, 1, 0, 0, 0, 0, 0, 8, 0, 2, 0, 0, 0, 0, 0, 8, 0, 3, 0, 0, 0, 0, 0]
        : [0, 8, 0, 1, 0, 0, 0, 0, 0, 8, 0, 2, 0, 0, 0, 0, 0, 8, 0, 3, 0, 0, 0, 0];

    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackEntry Decode(NetlinkMessage message)
    {
        ConntrackEntry entry = new();
        Decode(message, entry);
        return entry;
    }

    public static void Decode(NetlinkMessage message, ConntrackEntry entry)
    {
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((EntryAttribute)attributes.Type)
            {
                case EntryAttribute.TupleOrig:
                    if (ReadTuple(attributes.Value, out entry.Original) is { } original)
                        (entry.Data.OriginalZone, entry.Fields) = (original, entry.Fields | EntryFields.OriginalZone);
                    break;
                case EntryAttribute.TupleReply:
                    if (ReadTuple(attributes.Value, out entry.Reply) is { } reply)
                        (entry.Data.ReplyZone, entry.Fields) = (reply, entry.Fields | EntryFields.ReplyZone);
                    break;
                case EntryAttribute.Status:
                    entry.Status = (ConntrackStatus)attributes.UInt32;
                    break;
                case EntryAttribute.Protoinfo when PlainTcp.TryRead(attributes.Value, entry):
                    break;
                case EntryAttribute.Protoinfo:
                    ProtoinfoDecoder.Decode(attributes.Nested, entry);
                    break;
                case EntryAttribute.Timeout:
                    (entry.Data.Timeout, entry.Fields) = (attributes.UInt32, entry.Fields | EntryFields.Timeout);
                    break;
                case EntryAttribute.Mark:
                    entry.Data.Mark = attributes.UInt32;
                    break;
                case EntryAttribute.CountersOrig:
                    ReadCounters(attributes.Value, out entry.Data.OriginalPackets, out entry.Data.OriginalBytes);
                    entry.Fields |= EntryFields.OriginalCounters;
                    break;
                case EntryAttribute.CountersReply:
                    ReadCounters(attributes.Value, out entry.Data.ReplyPackets, out entry.Data.ReplyBytes);
                    entry.Fields |= EntryFields.ReplyCounters;
                    break;
                case EntryAttribute.Use:
                    (entry.Data.Use, entry.Fields) = (attributes.UInt32, entry.Fields | EntryFields.UseCount);
                    break;
                case EntryAttribute.Id:
                    (entry.Data.Id, entry.Fields) = (attributes.UInt32, entry.Fields | EntryFields.Id);
                    break;
                case EntryAttribute.Zone:
                    entry.Zone = attributes.UInt16;
                    break;
                case EntryAttribute.Timestamp:
                    ReadTimestamp(attributes.Value, entry);
                    break;
                case EntryAttribute.Synproxy when attributes.Value.SequenceEqual(UnusedSynproxy):
                    entry.Fields |= EntryFields.UnusedSynproxy;
                    break;
                default:
                    DetailsDecoder.Decode(attributes, entry);
                    break;
            }
        }
    }

    /// <returns>CTA_TUPLE_ZONE, if this direction has its own zone.</returns>
    private static ushort? ReadTuple(ReadOnlySpan<byte> nest, out ConntrackTuple tuple)
    {
        if (PlainTuple.TryRead(nest, out tuple))
            return null;
        tuple = TupleCodec.Read(new AttributeReader(nest), out ushort? zone);
        return zone;
    }

    private static void ReadCounters(ReadOnlySpan<byte> nest, out ulong packets, out ulong bytes)
    {
        AttributeReader attributes = new(nest);
        (packets, bytes) = (0, 0);
        while (attributes.Read())
        {
            switch ((CounterAttribute)attributes.Type)
            {
                case CounterAttribute.Packets:
                    packets = attributes.UInt64;
                    break;
                case CounterAttribute.Bytes:
                    bytes = attributes.UInt64;
                    break;
            }
        }
    }

    private static void ReadTimestamp(ReadOnlySpan<byte> nest, ConntrackEntry entry)
    {
        AttributeReader attributes = new(nest);
        while (attributes.Read())
        {
            switch ((TimestampAttribute)attributes.Type)
            {
                case TimestampAttribute.Start:
                    (entry.Data.Start, entry.Fields) = (attributes.UInt64, entry.Fields | EntryFields.StartTime);
                    break;
                case TimestampAttribute.Stop:
                    (entry.Data.Stop, entry.Fields) = (attributes.UInt64, entry.Fields | EntryFields.StopTime);
                    break;
            }
        }
    }
}

/// <summary>Reads the attributes that few entries have.</summary>
internal static class DetailsDecoder
{
    public static void Decode(AttributeReader attribute, ConntrackEntry entry)
    {
        switch ((EntryAttribute)attribute.Type)
        {
            case EntryAttribute.TimestampEvent:
                entry.SetEventTime(attribute.UInt64);
                break;
            case EntryAttribute.Labels:
                entry.MakeDetails().Labels = LabelBits.FromBytes(attribute.Value);
                break;
            case EntryAttribute.Help:
                entry.MakeDetails().Helper = ReadName(attribute.Nested, (ushort)HelperAttribute.Name);
                break;
            case EntryAttribute.Secctx:
                entry.MakeDetails().SecurityContext = ReadName(attribute.Nested, (ushort)SecurityAttribute.Name);
                break;
            case EntryAttribute.Secmark:
                entry.MakeDetails().Secmark = attribute.UInt32;
                entry.Fields |= EntryFields.Secmark;
                break;
            case EntryAttribute.TupleMaster:
                entry.MakeDetails().Master = TupleCodec.Read(attribute.Nested, out _);
                break;
            case EntryAttribute.SeqAdjOrig:
                entry.MakeDetails().OriginalSequence = ReadSequence(attribute.Nested);
                break;
            case EntryAttribute.SeqAdjReply:
                entry.MakeDetails().ReplySequence = ReadSequence(attribute.Nested);
                break;
            case EntryAttribute.Synproxy:
                ReadSynproxy(attribute.Nested, entry.MakeDetails());
                break;
        }
    }

    private static string? ReadName(AttributeReader attributes, ushort type)
    {
        string? name = null;
        while (attributes.Read())
        {
            if (attributes.Type == type)
                name = attributes.Text;
        }

        return name;
    }

    private static SequenceAdjustment ReadSequence(AttributeReader attributes)
    {
        uint position = 0, before = 0, after = 0;
        while (attributes.Read())
        {
            switch ((SequenceAttribute)attributes.Type)
            {
                case SequenceAttribute.CorrectionPos:
                    position = attributes.UInt32;
                    break;
                case SequenceAttribute.OffsetBefore:
                    before = attributes.UInt32;
                    break;
                case SequenceAttribute.OffsetAfter:
                    after = attributes.UInt32;
                    break;
            }
        }

        return new SequenceAdjustment(position, (int)before, (int)after);
    }

    private static void ReadSynproxy(AttributeReader attributes, EntryDetails details)
    {
        while (attributes.Read())
        {
            switch ((SynproxyAttribute)attributes.Type)
            {
                case SynproxyAttribute.Isn:
                    details.SynproxyIsn = attributes.UInt32;
                    break;
                case SynproxyAttribute.Its:
                    details.SynproxyIts = attributes.UInt32;
                    break;
                case SynproxyAttribute.Tsoff:
                    details.SynproxyTimestampOffset = attributes.UInt32;
                    break;
            }
        }
    }
}
