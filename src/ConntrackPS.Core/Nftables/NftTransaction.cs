using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>Changes to nf_tables that take effect together. If they do not fit into one datagram, several transactions in a row.</summary>
internal sealed class NftTransaction
{
    /// <summary>NFNL_SUBSYS_NFTABLES (linux/netfilter/nfnetlink.h).</summary>
    public const ushort Subsystem = 10;

    private readonly NetlinkBatch _batch;
    private readonly string _operation;
    private readonly string _table;
    private readonly Func<bool> _isTableThere;
    private readonly HashSet<int> _helpers = [];
    private int? _newTable;

    /// <param name="connection">The socket that owns the table.</param>
    /// <param name="table">The table to change.</param>
    /// <param name="isTableThere">Asks the kernel whether it has the table, to find the cause of ENOENT.</param>
    /// <param name="operation">The purpose of the change, for errors, such as "block traffic".</param>
    public NftTransaction(NetlinkConnection connection, string table, Func<bool> isTableThere, string operation) =>
        (_batch, _table, _isTableThere, _operation) = (connection.CreateBatch(operation), table, isTableThere, operation);

    /// <summary>The features of the kernel that the change needs, for the error of a kernel without one.</summary>
    public string Needs { get; set; } = "CONFIG_NF_TABLES_INET, CONFIG_NFT_CT";

    /// <summary>Writes the body of a message.</summary>
    public delegate void Body(ref MessageWriter writer);

    /// <summary>Adds a message. Commits the earlier ones first if it does not fit.</summary>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NftTableLostException">The kernel has lost the table.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public void Add(NftMessage type, MessageFlags flags, Body body)
    {
        if (_batch.IsFull)
            Commit();
        if (_batch.Count == 0)
            AddLimit(BatchMessage.Begin);
        if (type == NftMessage.Newtable)
            _newTable = _batch.Count;
        if (type == NftMessage.Newobj)
            _helpers.Add(_batch.Count);
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

        bool isHelper = refusal is { } refused && _helpers.Contains(refused.Index);
        _helpers.Clear();
        if (refusal is { } first)
            throw Explain(first.Index, newTable, isHelper, first.Answer.ToException(_operation));
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
    /// <param name="isHelper">True if it is a helper for rules.</param>
    /// <param name="exception">The kernel's answer.</param>
    private Exception Explain(int index, int? newTable, bool isHelper, NetlinkException exception) => (index, exception.Errno) switch
    {
        (0, Errno.NotSupported) => new NftablesUnavailableException("This kernel has no nf_tables.", exception),
        (_, Errno.InvalidArgument or Errno.NotSupported) when index == newTable => new NftablesUnavailableException(
            "This kernel does not support tables that end with their owner (NFT_TABLE_F_OWNER, Linux 5.12), so rules could outlive their process.",
            exception),

        // nft_ct_helper_obj_init: no such helper, even after a request for its module.
        (_, Errno.NotFound or Errno.NotSupported) when isHelper => new NftablesUnavailableException(
            "The kernel does not have the helper for this protocol, or its nf_tables has no 'ct helper' (CONFIG_NFT_CT).", exception),

        // ENOENT has two causes: the table is gone, or the module of an expression is missing.
        (_, Errno.NotFound) when (newTable is null || index < newTable) && !_isTableThere() => new NftTableLostException(_table, exception),
        (_, Errno.NotFound or Errno.NotSupported or Errno.AddressFamilyNotSupported) => new NftablesUnavailableException(
            $"This kernel's nf_tables lacks a feature that these rules need ({Needs}).", exception),
        _ => exception,
    };
}

/// <summary>The kernel has lost a table, so its rules have no effect. The table belongs to one socket of this process, which is still open.
/// Only a fault can remove it.</summary>
/// <param name="table">The table's name.</param>
/// <param name="inner">The cause.</param>
public sealed class NftTableLostException(string table, Exception? inner = null)
    : Exception($"The kernel no longer has the table {table}, so its rules have no effect.", inner);

/// <summary>The running kernel can't hold such rules for the lifetime of a process. Nothing was changed.</summary>
/// <param name="message">The missing feature.</param>
/// <param name="inner">The cause.</param>
public sealed class NftablesUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
