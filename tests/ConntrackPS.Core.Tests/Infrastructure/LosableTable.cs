using System.Text;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Rules;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A block whose table a test can remove.</summary>
internal sealed class LosableBlock : LosableTable, IDisposable
{
    public LosableBlock(BlockTarget target, NetworkNamespace networkNamespace)
        : base(networkNamespace) =>
        Block = TrafficBlock.Open(target, Connection, networkNamespace.Name, NetworkNamespace.ReadIdentity(networkNamespace));

    public TrafficBlock Block { get; }

    protected override string Table => Block.Table;

    public void Dispose() => Block.Dispose();
}

/// <summary>A rule whose table a test can remove.</summary>
internal sealed class LosableRule : LosableTable, IDisposable
{
    public LosableRule(ConntrackFilter filter, RuleAction action, NetworkNamespace networkNamespace)
        : base(networkNamespace) =>
        Rule = TrafficRule.Open(filter, action, Connection, networkNamespace.Name, NetworkNamespace.ReadIdentity(networkNamespace));

    public TrafficRule Rule { get; }

    protected override string Table => Rule.Name;

    public void Dispose() => Rule.Dispose();
}

/// <summary>Removes the table of a block or rule, as a kernel fault would. It uses the table's own socket, because no other socket may
/// remove it.</summary>
internal abstract class LosableTable
{
    private const ushort BatchBegin = 0x10, BatchEnd = 0x11, NewTable = 0xa00, DeleteTable = 0xa02;
    private const byte Subsystem = 10;

    private readonly NetlinkSocket _socket;

    protected LosableTable(NetworkNamespace networkNamespace)
    {
        _socket = NetlinkSocket.Open(networkNamespace);
        Connection = new NetlinkConnection(_socket);
    }

    protected NetlinkConnection Connection { get; }

    protected abstract string Table { get; }

    /// <summary>Removes the table. The kernel has done it when this returns, and leaves no answer that the block could read.</summary>
    public void Lose() => Send(Change(DeleteTable));

    /// <summary>Removes the table and creates another one with its name, which has no owner.</summary>
    public void Usurp() => Send(Change(DeleteTable), Change(NewTable));

    private void Send(params byte[][] changes) => _socket.Send(
        [.. Message(BatchBegin, 0, Subsystem), .. changes.SelectMany(bytes => bytes), .. Message(BatchEnd, 0, Subsystem)], "lose a table");

    private byte[] Change(ushort type) => Message(type, 1, 0, Messages.Attribute(1, [.. Encoding.ASCII.GetBytes(Table), 0]));

    private static byte[] Message(ushort type, byte family, byte resource, params byte[] attributes) =>
        Messages.Message(type, 0, MessageFlags.Request | (type == NewTable ? MessageFlags.Create : 0), [family, 0, 0, resource, .. attributes]);
}
