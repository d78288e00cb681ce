using System.Text;
using ConntrackPS.Blocking;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A block whose table a test can remove, as a kernel fault would. It uses the block's own socket, because no other socket may
/// remove it.</summary>
internal sealed class LosableBlock : IDisposable
{
    private const ushort BatchBegin = 0x10, BatchEnd = 0x11, NewTable = 0xa00, DeleteTable = 0xa02;
    private const byte Subsystem = 10;

    private readonly NetlinkSocket _socket;

    public LosableBlock(BlockTarget target, NetworkNamespace networkNamespace)
    {
        _socket = NetlinkSocket.Open(networkNamespace);
        Block = TrafficBlock.Open(target, new NetlinkConnection(_socket), networkNamespace.Name, NetworkNamespace.ReadIdentity(networkNamespace));
    }

    public TrafficBlock Block { get; }

    /// <summary>Removes the table. The kernel has done it when this returns, and leaves no answer that the block could read.</summary>
    public void Lose() => Send(Table(DeleteTable));

    /// <summary>Removes the table and creates another one with its name, which has no owner.</summary>
    public void Usurp() => Send(Table(DeleteTable), Table(NewTable));

    public void Dispose() => Block.Dispose();

    private void Send(params byte[][] changes) => _socket.Send(
        [.. Message(BatchBegin, 0, Subsystem), .. changes.SelectMany(bytes => bytes), .. Message(BatchEnd, 0, Subsystem)], "lose a table");

    private byte[] Table(ushort type) => Message(type, 1, 0, Messages.Attribute(1, [.. Encoding.ASCII.GetBytes(Block.Table), 0]));

    private static byte[] Message(ushort type, byte family, byte resource, params byte[] attributes) =>
        Messages.Message(type, 0, MessageFlags.Request | (type == NewTable ? MessageFlags.Create : 0), [family, 0, 0, resource, .. attributes]);
}
