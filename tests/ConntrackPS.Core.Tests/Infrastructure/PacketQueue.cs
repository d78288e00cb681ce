using System.Buffers.Binary;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Holds packets that a rule sends to queue 0 (iptables -j NFQUEUE), and releases them all at once, so that two packets can start
/// the same connection at the same time.</summary>
/// <remarks>linux/netfilter/nfnetlink_queue.h. The packets themselves are never read.</remarks>
internal sealed class PacketQueue : IDisposable
{
    /// <summary>(NFNL_SUBSYS_QUEUE &lt;&lt; 8) | NFQNL_MSG_CONFIG.</summary>
    private const ushort Config = 0x302;

    /// <summary>(NFNL_SUBSYS_QUEUE &lt;&lt; 8) | NFQNL_MSG_VERDICT_BATCH.</summary>
    private const ushort VerdictBatch = 0x303;

    private const ushort ConfigCommand = 1, ConfigParameters = 2, VerdictHeader = 2;
    private const byte Bind = 1, CopyMeta = 1;
    private const uint Accept = 1;

    private readonly NetworkNamespaceFixture _ns;
    private readonly NetlinkSocket _socket;

    public PacketQueue(NetworkNamespaceFixture ns)
    {
        _ns = ns;
        _socket = NetlinkSocket.Open(ns.Namespace);

        // Messages that are never read must not fill the buffer: the kernel drops packets that it can't report.
        _socket.RequestReceiveBuffer(64 << 20);
        NetlinkConnection connection = new(_socket);
        connection.Request(Message(Config, MessageFlags.Ack, ConfigCommand, [Bind, 0, 0, 0]), "bind a packet queue");
        connection.Request(Message(Config, MessageFlags.Ack, ConfigParameters, [0, 0, 0, 0, CopyMeta]), "set a packet queue up");
    }

    /// <summary>Waits until this number of packets is held, and accepts them in order of arrival.</summary>
    public void Release(uint count)
    {
        Assert.True(Wait.Until(() => Held() == count), $"{Held()} packets are held, not {count}.");
        byte[] header = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(header, Accept);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), uint.MaxValue >> 1);
        _socket.Send(Message(VerdictBatch, default, VerdictHeader, header), "accept packets");
        Assert.True(Wait.Until(() => Held() == 0), "Packets are still held.");
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>The third column: packets waiting for a verdict.</summary>
    private long Held() => long.Parse(
        _ns.Exec("cat", "/proc/net/netfilter/nfnetlink_queue").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[2]);

    private static byte[] Message(ushort type, MessageFlags flags, ushort attribute, byte[] value)
    {
        MessageWriter writer = new(new byte[64]);
        writer.BeginMessage(type, flags, 0);
        writer.Put(attribute, value);
        writer.EndMessage();
        return writer.Written.ToArray();
    }
}
