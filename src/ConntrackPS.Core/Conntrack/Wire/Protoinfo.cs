using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Reads CTA_PROTOINFO: the state of TCP, SCTP and DCCP connections.</summary>
internal static class ProtoinfoDecoder
{
    public static void Decode(AttributeReader attributes, ConntrackEntry entry)
    {
        while (attributes.Read())
        {
            switch ((ProtoinfoAttribute)attributes.Type)
            {
                case ProtoinfoAttribute.Tcp:
                    DecodeTcp(attributes.Nested, entry);
                    break;
                case ProtoinfoAttribute.Sctp:
                    DecodeSctp(attributes.Nested, entry);
                    break;
                case ProtoinfoAttribute.Dccp:
                    DecodeDccp(attributes.Nested, entry);
                    break;
            }
        }
    }

    private static void DecodeTcp(AttributeReader attributes, ConntrackEntry entry)
    {
        while (attributes.Read())
        {
            switch ((TcpAttribute)attributes.Type)
            {
                case TcpAttribute.State:
                    SetState(entry, IPProtocol.Tcp, attributes.Byte);
                    break;
                case TcpAttribute.WscaleOriginal:
                    (entry.RawOriginalWindowScale, entry.Fields) = (attributes.Byte, entry.Fields | EntryFields.OriginalWindowScale);
                    break;
                case TcpAttribute.WscaleReply:
                    (entry.RawReplyWindowScale, entry.Fields) = (attributes.Byte, entry.Fields | EntryFields.ReplyWindowScale);
                    break;

                // struct nf_ct_tcp_flags: the flags, then a mask that means nothing in this direction.
                case TcpAttribute.FlagsOriginal:
                    (entry.RawOriginalTcpFlags, entry.Fields) = ((TcpTrackingFlags)attributes.Byte, entry.Fields | EntryFields.OriginalTcpFlags);
                    break;
                case TcpAttribute.FlagsReply:
                    (entry.RawReplyTcpFlags, entry.Fields) = ((TcpTrackingFlags)attributes.Byte, entry.Fields | EntryFields.ReplyTcpFlags);
                    break;
            }
        }
    }

    private static void DecodeSctp(AttributeReader attributes, ConntrackEntry entry)
    {
        while (attributes.Read())
        {
            switch ((SctpAttribute)attributes.Type)
            {
                case SctpAttribute.State:
                    SetState(entry, IPProtocol.Sctp, attributes.Byte);
                    break;
                case SctpAttribute.VtagOriginal:
                    entry.MakeDetails().OriginalVerificationTag = attributes.UInt32;
                    break;
                case SctpAttribute.VtagReply:
                    entry.MakeDetails().ReplyVerificationTag = attributes.UInt32;
                    break;
            }
        }
    }

    private static void DecodeDccp(AttributeReader attributes, ConntrackEntry entry)
    {
        while (attributes.Read())
        {
            switch ((DccpAttribute)attributes.Type)
            {
                case DccpAttribute.State:
                    SetState(entry, IPProtocol.Dccp, attributes.Byte);
                    break;
                case DccpAttribute.Role:
                    entry.MakeDetails().DccpRole = attributes.Byte;
                    break;
                case DccpAttribute.HandshakeSeq:
                    entry.MakeDetails().DccpHandshakeSequence = attributes.UInt64;
                    break;
            }
        }
    }

    private static void SetState(ConntrackEntry entry, IPProtocol protocol, byte number)
    {
        entry.RawState = ConntrackStates.FromKernel(protocol, number);
        entry.Fields |= EntryFields.State;
    }
}
