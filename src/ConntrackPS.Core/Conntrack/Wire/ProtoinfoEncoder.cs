using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Writes CTA_PROTOINFO: the state of TCP and SCTP connections.</summary>
internal static class ProtoinfoEncoder
{
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

    public static void WriteState(ref MessageWriter writer, IPProtocol protocol, byte state, ConntrackEntry? present)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)EntryAttribute.Protoinfo);
        if (protocol == IPProtocol.Sctp)
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

        // struct nf_ct_tcp_flags: the flags, and which of them to set.
        if (entry.Has(EntryFields.OriginalTcpFlags))
            writer.Put((ushort)TcpAttribute.FlagsOriginal, [(byte)entry.RawOriginalTcpFlags, byte.MaxValue]);
        if (entry.Has(EntryFields.ReplyTcpFlags))
            writer.Put((ushort)TcpAttribute.FlagsReply, [(byte)entry.RawReplyTcpFlags, byte.MaxValue]);
        writer.EndNest(nest);
    }

    private static void WriteSctp(ref MessageWriter writer, ConntrackEntry? entry, byte state)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)ProtoinfoAttribute.Sctp);
        writer.PutByte((ushort)SctpAttribute.State, state);

        // The kernel wants all three or none.
        writer.PutUInt32((ushort)SctpAttribute.VtagOriginal, entry?.OriginalVerificationTag ?? 0);
        writer.PutUInt32((ushort)SctpAttribute.VtagReply, entry?.ReplyVerificationTag ?? 0);
        writer.EndNest(nest);
    }
}
