using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Writes CTA_PROTOINFO: the state of TCP and SCTP connections.</summary>
internal static class ProtoinfoEncoder
{
    /// <summary>What the kernel itself notes of a connection that it picks up in the middle, where nothing is known of its
    /// windows (nf_conntrack_proto_tcp.c, tcp_new). Without it the kernel checks windows that it does not know the scale of,
    /// and takes most packets of a connection that is in full swing for invalid.</summary>
    private const TcpTrackingFlags PickedUp = TcpTrackingFlags.SackPerm | TcpTrackingFlags.BeLiberal;

    /// <summary>TCP_CONNTRACK_TIME_WAIT: from here on both ends have closed.</summary>
    private const byte TimeWait = 7;

    public static void Write(ref MessageWriter writer, ConntrackEntry entry)
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

    /// <summary>Writes a new state of an entry that exists, and leaves the rest as it is.</summary>
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

        // The kernel takes window scales as a pair only.
        if (entry.Has(EntryFields.OriginalWindowScale) && entry.Has(EntryFields.ReplyWindowScale))
        {
            writer.PutByte((ushort)TcpAttribute.WscaleOriginal, entry.RawOriginalWindowScale);
            writer.PutByte((ushort)TcpAttribute.WscaleReply, entry.RawReplyWindowScale);
        }

        WriteTcpFlags(ref writer, TcpAttribute.FlagsOriginal, entry, EntryFields.OriginalTcpFlags, entry.RawOriginalTcpFlags, state);
        WriteTcpFlags(ref writer, TcpAttribute.FlagsReply, entry, EntryFields.ReplyTcpFlags, entry.RawReplyTcpFlags, state);
        writer.EndNest(nest);
    }

    /// <summary>struct nf_ct_tcp_flags: the flags, and which of them to set.</summary>
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

        // The kernel wants all three or none.
        writer.PutUInt32((ushort)SctpAttribute.VtagOriginal, entry.OriginalVerificationTag ?? 0);
        writer.PutUInt32((ushort)SctpAttribute.VtagReply, entry.ReplyVerificationTag ?? 0);
        writer.EndNest(nest);
    }
}
