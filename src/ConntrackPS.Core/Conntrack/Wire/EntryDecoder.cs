using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Fills an entry from a conntrack message. Attributes unknown here are skipped; what is cut off or lies
/// about its length is an error.</summary>
internal static class EntryDecoder
{
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
                    entry.Original = TupleCodec.Read(attributes.Nested, out ushort? originalZone);
                    if (originalZone is { } original)
                        (entry.RawOriginalZone, entry.Fields) = (original, entry.Fields | EntryFields.OriginalZone);
                    break;
                case EntryAttribute.TupleReply:
                    entry.Reply = TupleCodec.Read(attributes.Nested, out ushort? replyZone);
                    if (replyZone is { } reply)
                        (entry.RawReplyZone, entry.Fields) = (reply, entry.Fields | EntryFields.ReplyZone);
                    break;
                case EntryAttribute.Status:
                    entry.Status = (ConntrackStatus)attributes.UInt32;
                    break;
                case EntryAttribute.Protoinfo:
                    ProtoinfoDecoder.Decode(attributes.Nested, entry);
                    break;
                case EntryAttribute.Timeout:
                    (entry.RawTimeout, entry.Fields) = (attributes.UInt32, entry.Fields | EntryFields.Timeout);
                    break;
                case EntryAttribute.Mark:
                    entry.Mark = attributes.UInt32;
                    break;
                case EntryAttribute.CountersOrig:
                    ReadCounters(attributes.Nested, out entry.RawOriginalPackets, out entry.RawOriginalBytes);
                    entry.Fields |= EntryFields.OriginalCounters;
                    break;
                case EntryAttribute.CountersReply:
                    ReadCounters(attributes.Nested, out entry.RawReplyPackets, out entry.RawReplyBytes);
                    entry.Fields |= EntryFields.ReplyCounters;
                    break;
                case EntryAttribute.Use:
                    (entry.RawUse, entry.Fields) = (attributes.UInt32, entry.Fields | EntryFields.UseCount);
                    break;
                case EntryAttribute.Id:
                    (entry.RawId, entry.Fields) = (attributes.UInt32, entry.Fields | EntryFields.Id);
                    break;
                case EntryAttribute.Zone:
                    entry.Zone = attributes.UInt16;
                    break;
                case EntryAttribute.Timestamp:
                    ReadTimestamp(attributes.Nested, entry);
                    break;
                default:
                    DetailsDecoder.Decode(attributes, entry);
                    break;
            }
        }
    }

    private static void ReadCounters(AttributeReader attributes, out ulong packets, out ulong bytes)
    {
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

    private static void ReadTimestamp(AttributeReader attributes, ConntrackEntry entry)
    {
        while (attributes.Read())
        {
            switch ((TimestampAttribute)attributes.Type)
            {
                case TimestampAttribute.Start:
                    (entry.RawStart, entry.Fields) = (attributes.UInt64, entry.Fields | EntryFields.StartTime);
                    break;
                case TimestampAttribute.Stop:
                    (entry.RawStop, entry.Fields) = (attributes.UInt64, entry.Fields | EntryFields.StopTime);
                    break;
            }
        }
    }
}
