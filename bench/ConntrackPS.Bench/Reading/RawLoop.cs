using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Bench.Reading;

/// <summary>The kernel's own cost: a dump of the whole table, received and discarded.</summary>
/// <remarks>It uses the same socket class as the core, so that a ratio shows only the parsing.</remarks>
internal static class RawLoop
{
    private const string Operation = "list connection-tracking entries";

    /// <summary>struct nlmsghdr and the errno: how an NLMSG_DONE ends the last datagram.</summary>
    private const int DoneSize = NetlinkProtocol.HeaderSize + sizeof(int);

    /// <returns>The bytes received.</returns>
    public static long Read(NetworkNamespace networkNamespace) => Read(networkNamespace, KernelFilter.None);

    /// <summary>The kernel's own walk: a dump with a filter that no entry matches.</summary>
    public static long Walk(NetworkNamespace networkNamespace) => Read(networkNamespace, NothingPasses);

    private static KernelFilter NothingPasses => new()
    {
        Family = IPFamily.IPv4,
        Original = new TupleFilter { Fields = TupleFields.SourceAddress, SourceAddress = 0xcb007163 },
    };

    private static long Read(NetworkNamespace networkNamespace, KernelFilter filter)
    {
        using NetlinkSocket socket = NetlinkSocket.Open(networkNamespace);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(NetlinkProtocol.DatagramSize);
        socket.Send(TableRequests.Dump(buffer, TableKind.Main, filter), Operation);
        long total = 0;
        ReadOnlySpan<byte> datagram;
        do
        {
            datagram = buffer.AsSpan(0, socket.Receive(buffer, Operation, NetlinkConnection.DefaultTimeout));
            total += datagram.Length;
        }
        while (!IsLast(datagram));
        return total;
    }

    private static bool IsLast(ReadOnlySpan<byte> datagram)
    {
        NetlinkMessage first = new(datagram);
        if (first.Type == ControlMessage.Error)
            NetlinkAnswer.Decode(first).ThrowIfError(Operation);
        ReadOnlySpan<byte> end = datagram[^DoneSize..];
        return MemoryMarshal.Read<uint>(end) == DoneSize && new NetlinkMessage(end).Type == ControlMessage.Done;
    }
}
