using System.Runtime.InteropServices;
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
                    (entry.Data.OriginalWindowScale, entry.Fields) = (attributes.Byte, entry.Fields | EntryFields.OriginalWindowScale);
                    break;
                case TcpAttribute.WscaleReply:
                    (entry.Data.ReplyWindowScale, entry.Fields) = (attributes.Byte, entry.Fields | EntryFields.ReplyWindowScale);
                    break;

                // struct nf_ct_tcp_flags: the flags, then a mask that has no meaning in messages from the kernel.
                case TcpAttribute.FlagsOriginal:
                    (entry.Data.OriginalTcpFlags, entry.Fields) = ((TcpTrackingFlags)attributes.Byte, entry.Fields | EntryFields.OriginalTcpFlags);
                    break;
                case TcpAttribute.FlagsReply:
                    (entry.Data.ReplyTcpFlags, entry.Fields) = ((TcpTrackingFlags)attributes.Byte, entry.Fields | EntryFields.ReplyTcpFlags);
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
        entry.Data.State = ConntrackStates.FromKernel(protocol, number);
        entry.Fields |= EntryFields.State;
    }
}

/// <summary>Writes CTA_PROTOINFO: the state of TCP and SCTP connections.</summary>
internal static class ProtoinfoEncoder
{
    /// <summary>The flags that the kernel sets when it picks up a connection in the middle and does not know its windows
    /// (nf_conntrack_proto_tcp.c, tcp_new). Without them the kernel checks windows of unknown scale, and treats most packets of an active
    /// connection as invalid.</summary>
    private const TcpTrackingFlags PickedUp = TcpTrackingFlags.SackPerm | TcpTrackingFlags.BeLiberal;

    /// <summary>TCP_CONNTRACK_TIME_WAIT: from this state on both ends have closed.</summary>
    private const byte TimeWait = 7;

    public static void Write(ref MessageWriter writer, ConntrackEntry entry)
    {
        if (ConntrackStates.ToKernel(entry.Protocol, entry.Data.State) is not { } state)
            return;
        MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Protoinfo);
        if (entry.Protocol == IPProtocol.Tcp)
            WriteTcp(ref writer, entry, state);
        else if (entry.Protocol == IPProtocol.Sctp)
            WriteSctp(ref writer, entry, state);
        writer.EndNest(nest);
    }

    /// <summary>Writes a new state of an existing entry, and leaves the rest unchanged.</summary>
    public static void WriteState(ref MessageWriter writer, byte state, ConntrackEntry present)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Protoinfo);
        if (present.Protocol == IPProtocol.Sctp)
        {
            WriteSctp(ref writer, present, state);
        }
        else
        {
            MessageWriter.Nest tcp = writer.BeginNest((ushort)ProtoinfoAttribute.Tcp);
            writer.PutByte((ushort)TcpAttribute.State, state);
            writer.EndNest(tcp);
        }

        writer.EndNest(nest);
    }

    private static void WriteTcp(ref MessageWriter writer, ConntrackEntry entry, byte state)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)ProtoinfoAttribute.Tcp);
        writer.PutByte((ushort)TcpAttribute.State, state);

        // The kernel accepts window scales only as a pair.
        if (entry.Has(EntryFields.OriginalWindowScale) && entry.Has(EntryFields.ReplyWindowScale))
        {
            writer.PutByte((ushort)TcpAttribute.WscaleOriginal, entry.Data.OriginalWindowScale);
            writer.PutByte((ushort)TcpAttribute.WscaleReply, entry.Data.ReplyWindowScale);
        }

        WriteTcpFlags(ref writer, TcpAttribute.FlagsOriginal, entry, EntryFields.OriginalTcpFlags, entry.Data.OriginalTcpFlags, state);
        WriteTcpFlags(ref writer, TcpAttribute.FlagsReply, entry, EntryFields.ReplyTcpFlags, entry.Data.ReplyTcpFlags, state);
        writer.EndNest(nest);
    }

    /// <summary>struct nf_ct_tcp_flags: the flags, and the mask of flags to set.</summary>
    private static void WriteTcpFlags(
        ref MessageWriter writer, TcpAttribute type, ConntrackEntry entry, EntryFields field, TcpTrackingFlags known, byte state)
    {
        if (entry.Has(field))
        {
            writer.Put((ushort)type, [(byte)known, byte.MaxValue]);
            return;
        }

        byte flags = (byte)(state >= TimeWait ? PickedUp | TcpTrackingFlags.CloseInit : PickedUp);
        writer.Put((ushort)type, [flags, flags]);
    }

    private static void WriteSctp(ref MessageWriter writer, ConntrackEntry entry, byte state)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)ProtoinfoAttribute.Sctp);
        writer.PutByte((ushort)SctpAttribute.State, state);

        // The kernel requires all three or none.
        writer.PutUInt32((ushort)SctpAttribute.VtagOriginal, entry.OriginalVerificationTag ?? 0);
        writer.PutUInt32((ushort)SctpAttribute.VtagReply, entry.ReplyVerificationTag ?? 0);
        writer.EndNest(nest);
    }
}

/// <summary>Reads CTA_PROTOINFO of TCP in the form of every dump: state, window scales and flags, in this order. Returns false for other or
/// malformed attributes, which <see cref="ProtoinfoDecoder"/> handles.</summary>
/// <remarks>If the attribute headers are the expected ones, the values are at fixed offsets.</remarks>
internal static class PlainTcp
{
    private const int Length = 44;

    private const EntryFields Fields =
        EntryFields.State | EntryFields.OriginalWindowScale | EntryFields.ReplyWindowScale
        | EntryFields.OriginalTcpFlags | EntryFields.ReplyTcpFlags;

    private static uint Tcp => AttributeHeader.Word(Length, (ushort)ProtoinfoAttribute.Tcp | NetlinkProtocol.NestedFlag);

    private static uint State => AttributeHeader.Word(5, (ushort)TcpAttribute.State);

    private static uint WscaleOriginal => AttributeHeader.Word(5, (ushort)TcpAttribute.WscaleOriginal);

    private static uint WscaleReply => AttributeHeader.Word(5, (ushort)TcpAttribute.WscaleReply);

    private static uint FlagsOriginal => AttributeHeader.Word(6, (ushort)TcpAttribute.FlagsOriginal);

    private static uint FlagsReply => AttributeHeader.Word(6, (ushort)TcpAttribute.FlagsReply);

    /// <summary>Reads the value of CTA_PROTOINFO into an entry.</summary>
    /// <returns>False if it has another form. The entry is then unchanged.</returns>
    public static bool TryRead(ReadOnlySpan<byte> nest, ConntrackEntry entry)
    {
        if (nest.Length != Length || Header(nest) != Tcp || Header(nest[4..]) != State
            || Header(nest[12..]) != WscaleOriginal || Header(nest[20..]) != WscaleReply
            || Header(nest[28..]) != FlagsOriginal || Header(nest[36..]) != FlagsReply)
        {
            return false;
        }

        entry.Data.State = ConntrackStates.FromKernel(IPProtocol.Tcp, nest[8]);
        entry.Data.OriginalWindowScale = nest[16];
        entry.Data.ReplyWindowScale = nest[24];
        entry.Data.OriginalTcpFlags = (TcpTrackingFlags)nest[32];
        entry.Data.ReplyTcpFlags = (TcpTrackingFlags)nest[40];
        entry.Fields |= Fields;
        return true;
    }

    private static uint Header(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<uint>(bytes);
}
