using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Wire;

/// <summary>Changes to nf_tables that take effect together; several in a row where they are too many for one datagram.</summary>
internal sealed class NftTransaction
{
    /// <summary>NFNL_SUBSYS_NFTABLES (linux/netfilter/nfnetlink.h).</summary>
    public const ushort Subsystem = 10;

    private const string Operation = "block traffic";

    private readonly NetlinkBatch _batch;

    public NftTransaction(NetlinkConnection connection) => _batch = connection.CreateBatch(Operation);

    /// <summary>Writes what follows a message's header.</summary>
    public delegate void Body(ref MessageWriter writer);

    /// <summary>Adds a message; commits what is there if it does not fit with it.</summary>
    /// <exception cref="BlockingUnavailableException">The kernel can't do it.</exception>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public void Add(NftMessage type, MessageFlags flags, Body body)
    {
        if (_batch.IsFull)
            Commit();
        if (_batch.Count == 0)
            AddLimit(BatchMessage.Begin);
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

        // Kernels before 6.10 never acknowledge the end, so that the answer is that to the message before it.
        AddLimit(BatchMessage.End, isAnswered: false);
        (int Index, NetlinkAnswer Answer)? refusal = null;
        try
        {
            _batch.Send((index, answer) => refusal ??= (index, answer));
        }
        catch (NetlinkException) when (refusal is not null)
        {
            // Told below, by the message that was refused.
        }

        if (refusal is { } first)
            throw Explain(first.Index, first.Answer.ToException(Operation));
    }

    private void AddLimit(BatchMessage limit, bool isAnswered = true)
    {
        MessageWriter writer = new(_batch.NextMessage);
        writer.BeginMessage((ushort)limit, MessageFlags.None, 0, resourceId: Subsystem);
        writer.EndMessage();
        _batch.Add(writer.Written.Length, isAnswered);
    }

    /// <param name="index">0 for the batch's begin, 1 for the table, which is always made first.</param>
    /// <param name="exception">What the kernel said.</param>
    private static Exception Explain(int index, NetlinkException exception) => (index, exception.Errno) switch
    {
        (0, Errno.NotSupported) => new BlockingUnavailableException("This kernel has no nf_tables.", exception),
        (1, Errno.InvalidArgument or Errno.NotSupported) => new BlockingUnavailableException(
            "This kernel knows no tables that go with their owner (NFT_TABLE_F_OWNER, Linux 5.12), so that a block could outlive its process.",
            exception),
        (_, Errno.NotFound or Errno.NotSupported or Errno.AddressFamilyNotSupported) => new BlockingUnavailableException(
            "This kernel's nf_tables lacks something that a block is made of (CONFIG_NF_TABLES_INET, CONFIG_NFT_CT).", exception),
        _ => exception,
    };
}
