using System.Globalization;
using System.Security.Cryptography;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>A table of nf_tables that belongs to one socket: no other process can change it, and the kernel removes it with the socket,
/// however the process ends.</summary>
/// <param name="connection">The socket.</param>
/// <param name="name">The table's name.</param>
/// <param name="operation">The purpose of the table, for errors, such as "block traffic".</param>
/// <param name="comment">A comment for administrators. Null for none.</param>
internal sealed class OwnedTable(NetlinkConnection connection, string name, string operation, string? comment = null)
{
    private readonly TableBuilder _builder = new(name);
    private bool _wasBegun;

    /// <summary>Adds to a table in one change.</summary>
    public delegate void Content(TableBuilder table, NftTransaction transaction);

    /// <summary>The table's name.</summary>
    public string Name { get; } = name;

    /// <summary>A name that no other table has. The process id shows an administrator the owner. The rest makes the name unique, because
    /// process ids repeat in other containers.</summary>
    public static string NewName() => string.Create(
        CultureInfo.InvariantCulture, $"conntrackps-{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}");

    /// <summary>Creates the table with its content, and checks that the kernel has it. Leftovers of an earlier one are removed in the same
    /// transaction.</summary>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NftTableLostException">The table is already gone.</exception>
    /// <exception cref="NetlinkException">EEXIST: another socket has a table of that name.</exception>
    public void Make(Content addContent)
    {
        bool isLeftOver = _wasBegun && IsThere();
        _wasBegun = true;
        Change((table, transaction) =>
        {
            table.Begin(transaction, replaces: isLeftOver, TableFlags.Owner, comment);
            addContent(table, transaction);
        });
        if (!IsThere())
            throw new NftTableLostException(Name);
    }

    /// <summary>Adds to the table.</summary>
    /// <inheritdoc cref="Make"/>
    public void Change(Content addContent)
    {
        NftTransaction transaction = new(connection, Name, IsThere, operation);
        addContent(_builder, transaction);
        transaction.Commit();
    }

    /// <summary>Requests the table from the kernel (NFT_MSG_GETTABLE).</summary>
    /// <returns>False if there is no table with the name that this socket owns: the table is gone.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public bool IsThere()
    {
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Gettable, MessageFlags.Ack, (byte)NetfilterProtocol.Inet);
        NftWriter.TableName(ref writer, Name);
        writer.EndMessage();
        bool isOurs = false;
        connection.TryRequest(writer.Written.ToArray(), "look for a table of rules", answer => isOurs |= NamedTable.Of(answer).Owner == connection.PortId);
        return isOurs;
    }
}
