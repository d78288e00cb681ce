using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>A table of nf_tables as the kernel lists it.</summary>
/// <param name="Name">The name.</param>
/// <param name="Flags">Its properties.</param>
/// <param name="Owner">The port id of the socket that owns it (NFTA_TABLE_OWNER). Null for a table that anybody may change.</param>
/// <param name="Comment">The comment. Null if it has none.</param>
internal sealed record NamedTable(string Name, TableFlags Flags, uint? Owner, string? Comment)
{
    /// <summary>Decodes a message of the kernel about a table.</summary>
    public static NamedTable Of(NetlinkMessage message)
    {
        string name = "";
        TableFlags flags = TableFlags.None;
        uint? owner = null;
        string? comment = null;
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((TableAttribute)attributes.Type)
            {
                case TableAttribute.Name:
                    name = attributes.Text;
                    break;
                case TableAttribute.Flags:
                    flags = (TableFlags)attributes.UInt32;
                    break;
                case TableAttribute.Owner:
                    owner = attributes.UInt32;
                    break;
                case TableAttribute.Userdata:
                    comment = UserData.CommentIn(attributes.Value);
                    break;
                default:
                    break;
            }
        }

        return new NamedTable(name, flags, owner, comment);
    }
}

/// <summary>Lists, adds and deletes tables of family inet that stay until they are deleted.</summary>
internal static class NamedTables
{
    /// <summary>All tables of family inet.</summary>
    /// <returns>Empty also if the kernel has no nf_tables.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    public static IReadOnlyList<NamedTable> Read(NetlinkConnection connection)
    {
        List<NamedTable> tables = [];
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Gettable, MessageFlags.Dump | MessageFlags.Ack, (byte)NetfilterProtocol.Inet);
        writer.EndMessage();
        try
        {
            connection.ReadDump(writer.Written.ToArray(), "list tables of rules", tables.Clear, message => tables.Add(NamedTable.Of(message)));
        }
        catch (NetlinkException exception) when (exception.Errno is Errno.InvalidArgument or Errno.NotSupported)
        {
            // The request has no attribute that could be invalid, so the kernel has no nf_tables.
        }

        return tables;
    }

    /// <summary>Adds a table with its content, completely or not at all.</summary>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request. EEXIST: there is a table of the name.</exception>
    public static void Add(NetlinkConnection connection, string name, string operation, OwnedTable.Content addContent)
    {
        NftTransaction transaction = new(connection, name, () => true, operation);
        TableBuilder table = new(name);
        table.Begin(transaction, replaces: false, TableFlags.None, comment: null);
        addContent(table, transaction);
        transaction.Commit();
    }

    /// <summary>Deletes a table.</summary>
    /// <returns>False if there is none.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request. EPERM: it belongs to the socket of a process.</exception>
    public static bool Delete(NetlinkConnection connection, string name, string operation)
    {
        NftTransaction transaction = new(connection, name, () => Read(connection).Any(table => table.Name == name), operation);
        try
        {
            transaction.Add(NftMessage.Deltable, MessageFlags.None, (ref MessageWriter writer) => NftWriter.TableName(ref writer, name));
            transaction.Commit();
            return true;
        }
        catch (NftTableLostException)
        {
            return false;
        }
    }
}
