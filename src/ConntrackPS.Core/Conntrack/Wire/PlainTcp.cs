using System.Runtime.InteropServices;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Reads CTA_PROTOINFO of TCP as the kernel writes it in every dump: state, window scales and flags, in this
/// order. All others, and what is broken, it leaves to <see cref="ProtoinfoDecoder"/>.</summary>
/// <remarks>Where the attributes' headers are the expected ones, the values stand at known places.</remarks>
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
    /// <returns>False where it is something else; the entry is then as it was.</returns>
    public static bool TryRead(ReadOnlySpan<byte> nest, ConntrackEntry entry)
    {
        if (nest.Length != Length || Header(nest) != Tcp || Header(nest[4..]) != State
            || Header(nest[12..]) != WscaleOriginal || Header(nest[20..]) != WscaleReply
            || Header(nest[28..]) != FlagsOriginal || Header(nest[36..]) != FlagsReply)
        {
            return false;
        }

        entry.RawState = ConntrackStates.FromKernel(IPProtocol.Tcp, nest[8]);
        entry.RawOriginalWindowScale = nest[16];
        entry.RawReplyWindowScale = nest[24];
        entry.RawOriginalTcpFlags = (TcpTrackingFlags)nest[32];
        entry.RawReplyTcpFlags = (TcpTrackingFlags)nest[40];
        entry.Fields |= Fields;
        return true;
    }

    private static uint Header(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<uint>(bytes);
}
