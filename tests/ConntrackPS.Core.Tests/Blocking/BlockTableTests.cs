using ConntrackPS.Blocking;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Blocking;

/// <summary>The requests to the kernel, and the meaning of its refusals. The tests of the cmdlets check the effect, with nft and
/// packets.</summary>
public sealed class BlockTableTests : IDisposable
{
    private readonly FakeKernel _kernel = new();

    /// <summary>Begin, table, set, elements, two chains with three rules each for UDP from an address of each family, end.</summary>
    private readonly ConntrackFilter _filter = new() { Protocol = [ConntrackPS.Conntrack.IPProtocol.Udp] };

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void The_table_is_the_sockets_own_and_must_be_new()
    {
        using TrafficBlock block = Open(ownerAnswered: 0, out List<byte[]> requests);
        byte[] request = requests[0];

        // struct nlmsghdr and nfgenmsg: NFNL_MSG_BATCH_BEGIN with res_id NFNL_SUBSYS_NFTABLES.
        Assert.Equal("140000001000010001000000000000000000000a", Convert.ToHexStringLower(request[..20]));

        // NFT_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, NFPROTO_INET; NFTA_TABLE_NAME.
        Assert.Equal("000a0106020000000000000001000000", Convert.ToHexStringLower(request[24..40]));
        string name = System.Text.Encoding.ASCII.GetString(request, 44, block.Table.Length);
        Assert.Equal(block.Table, name);

        // NFTA_TABLE_FLAGS NFT_TABLE_F_OWNER, big-endian, and no NFT_TABLE_F_PERSIST.
        int flags = 44 + (block.Table.Length + 1 + 3) / 4 * 4;
        Assert.Equal("0800020000000002", Convert.ToHexStringLower(request[flags..(flags + 8)]));

        // NFNL_MSG_BATCH_END, without NLM_F_ACK.
        Assert.Equal("1400000011000100" + "09000000" + "00000000" + "0000000a", Convert.ToHexStringLower(request[^20..]));
        Assert.StartsWith($"conntrackps-{Environment.ProcessId}-", block.Table, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_is_asked_for_when_it_is_made()
    {
        using TrafficBlock block = Open(ownerAnswered: 0, out List<byte[]> requests);

        // NFT_MSG_GETTABLE, NLM_F_REQUEST | NLM_F_ACK, NFPROTO_INET; NFTA_TABLE_NAME.
        Assert.Equal(2, requests.Count);
        Assert.Equal("010a0500", Convert.ToHexStringLower(requests[1][4..8]));
        Assert.Equal("01000000", Convert.ToHexStringLower(requests[1][16..20]));
        Assert.Equal(block.Table, System.Text.Encoding.ASCII.GetString(requests[1], 24, block.Table.Length));
        Assert.True(block.IsInForce);
        Assert.Equal(0, block.LossCount);
    }

    [Fact]
    public void A_table_that_another_socket_owns_is_none_of_ours()
    {
        OwnedTable table = new(_kernel.Connection, "block-1", "block traffic");
        NftTableLostException exception = Assert.Throws<NftTableLostException>(
            () => Serve(ownerAnswered: 4711, [], () => table.Make(new BlockContent(BlockTarget.Of(_filter).Rules).AddTo)));
        Assert.StartsWith("The kernel no longer has the table block-1,", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1u, Errno.NotSupported, "no nf_tables")]
    [InlineData(2u, Errno.InvalidArgument, "5.12")]
    [InlineData(2u, Errno.NotSupported, "5.12")]
    [InlineData(3u, Errno.NotSupported, "lacks")]
    [InlineData(6u, Errno.NotFound, "lacks")]
    public void A_kernel_that_cannot_block_is_told_by_what_it_refuses(uint sequence, Errno errno, string problem)
    {
        _kernel.Answer(Messages.Error(sequence, errno));
        NftablesUnavailableException exception = Assert.Throws<NftablesUnavailableException>(
            () => TrafficBlock.Open(BlockTarget.Of(_filter), _kernel.Connection, null));
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1u, Errno.NotPermitted)]
    [InlineData(2u, Errno.Exists)]
    [InlineData(5u, Errno.OutOfMemory)]
    public void Other_refusals_are_the_kernels_own(uint sequence, Errno errno)
    {
        _kernel.Answer(Messages.Error(sequence, errno));
        NetlinkException exception = Assert.Throws<NetlinkException>(() => TrafficBlock.Open(BlockTarget.Of(_filter), _kernel.Connection, null));
        Assert.Equal(errno, exception.Errno);
    }

    [Theory]
    [InlineData(false, typeof(NftTableLostException), "The kernel no longer has the table block-1")]
    [InlineData(true, typeof(NftablesUnavailableException), "lacks")]
    public void That_something_is_not_there_is_told_by_whether_the_table_is(bool isTableThere, Type expected, string problem)
    {
        NftTransaction transaction = new(_kernel.Connection, "block-1", () => isTableThere, "block traffic");
        transaction.Add(NftMessage.Newsetelem, MessageFlags.Create, (ref MessageWriter _) => { });
        _kernel.Answer(Messages.Error(2, Errno.NotFound));
        Exception exception = Assert.Throws(expected, transaction.Commit);
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
        Assert.Equal(Errno.NotFound, Assert.IsType<NetlinkException>(exception.InnerException).Errno);
    }

    private TrafficBlock Open(uint ownerAnswered, out List<byte[]> requests)
    {
        TrafficBlock? block = null;
        Serve(ownerAnswered, requests = [], () => block = TrafficBlock.Open(BlockTarget.Of(_filter), _kernel.Connection, null));
        return block!;
    }

    /// <summary>Runs work against a kernel that accepts one transaction and reports the owner of the table (NFTA_TABLE_OWNER). Our end of a
    /// socket pair has port id 0. The kernel answers a transaction within the send call, so here the answer is sent before the transaction.
    /// The request for the table is answered when it arrives.</summary>
    private void Serve(uint ownerAnswered, List<byte[]> requests, Action work)
    {
        _kernel.Answer(Messages.Acknowledgement(8));
        using CancellationTokenSource stop = new();
        Thread kernel = new(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                byte[] request = _kernel.ReadRequest();
                if (request.Length == 0)
                {
                    Thread.Sleep(1);
                    continue;
                }

                requests.Add(request);
                if (BitConverter.ToUInt16(request, 4) != 0xa01)
                    continue;
                uint sequence = BitConverter.ToUInt32(request, 8);
                byte[] owner = Messages.Attribute(7, Messages.BigEndian(ownerAnswered));
                _kernel.Answer(Messages.Message(0xa00, sequence, MessageFlags.None, [1, 0, 0, 0, .. owner]), Messages.Acknowledgement(sequence));
            }
        });
        kernel.Start();
        try
        {
            work();
        }
        finally
        {
            stop.Cancel();
            kernel.Join();
        }
    }
}
