using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Wire;

/// <summary>Changes to nf_tables that take effect together. If they do not fit into one datagram, several transactions in a row.</summary>
internal sealed class NftTransaction
{
    /// <summary>NFNL_SUBSYS_NFTABLES (linux/netfilter/nfnetlink.h).</summary>
    public const ushort Subsystem = 10;

    private const string Operation = "block traffic";

    private readonly NetlinkBatch _batch;
    private readonly string _table;
    private readonly Func<bool> _isTableThere;
    private int? _newTable;

    /// <param name="connection">The socket that owns the table.</param>
    /// <param name="table">The table to change.</param>
    /// <param name="isTableThere">Asks the kernel whether it has the table, to find the cause of ENOENT.</param>
    public NftTransaction(NetlinkConnection connection, string table, Func<bool> isTableThere) =>
        (_batch, _table, _isTableThere) = (connection.CreateBatch(Operation), table, isTableThere);

    /// <summary>Writes the body of a message.</summary>
    public delegate void Body(ref MessageWriter writer);

    /// <summary>Adds a message. Commits the earlier ones first if it does not fit.</summary>
    /// <exception cref="BlockingUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="BlockLostException">The kernel has lost the table.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public void Add(NftMessage type, MessageFlags flags, Body body)
    {
        if (_batch.IsFull)
            Commit();
        if (_batch.Count == 0)
            AddLimit(BatchMessage.Begin);
        if (type == NftMessage.Newtable)
            _newTable = _batch.Count;
        MessageWriter writer = new(_batch.NextMessage);
        writer.BeginMessage((ushort)type, flags, (byte)NetfilterProtocol.Inet);
        body(ref writer);
        writer.EndMessage();
        _batch.Add(writer.Written.Length);
    }

    /// <inheritdoc cref="Add"/>
    public void Commit()
    {
        if (_batch.Count == 0)
            return;

        // Kernels before 6.10 never acknowledge the end, so the last answer is for the message before it.
        AddLimit(BatchMessage.End, isAnswered: false);
        int? newTable = _newTable;
        _newTable = null;
        (int Index, NetlinkAnswer Answer)? refusal = null;
        try
        {
            _batch.Send((index, answer) => refusal ??= (index, answer));
        }
        catch (NetlinkException) when (refusal is not null)
        {
            // Reported below, with the message that was refused.
        }

        if (refusal is { } first)
            throw Explain(first.Index, newTable, first.Answer.ToException(Operation));
    }

    private void AddLimit(BatchMessage limit, bool isAnswered = true)
    {
        MessageWriter writer = new(_batch.NextMessage);
        writer.BeginMessage((ushort)limit, MessageFlags.None, 0, resourceId: Subsystem);
        writer.EndMessage();
        _batch.Add(writer.Written.Length, isAnswered);
    }

    /// <param name="index">The index of the refused message; 0 for the start of the batch.</param>
    /// <param name="newTable">The index of the message that creates the table. Null if it was created before.</param>
    /// <param name="exception">The kernel's answer.</param>
    private Exception Explain(int index, int? newTable, NetlinkException exception) => (index, exception.Errno) switch
    {
        (0, Errno.NotSupported) => new BlockingUnavailableException("This kernel has no nf_tables.", exception),
        (_, Errno.InvalidArgument or Errno.NotSupported) when index == newTable => new BlockingUnavailableException(
            "This kernel does not support tables that end with their owner (NFT_TABLE_F_OWNER, Linux 5.12), so a block could outlive its process.",
            exception),

        // ENOENT has two causes: the table is gone, or the module of an expression is missing.
        (_, Errno.NotFound) when (newTable is null || index < newTable) && !_isTableThere() => new BlockLostException(_table, exception),
        (_, Errno.NotFound or Errno.NotSupported or Errno.AddressFamilyNotSupported) => new BlockingUnavailableException(
            "This kernel's nf_tables lacks a feature that blocks need (CONFIG_NF_TABLES_INET, CONFIG_NFT_CT).", exception),
        _ => exception,
    };
}
