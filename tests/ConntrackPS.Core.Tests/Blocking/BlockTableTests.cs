using ConntrackPS.Blocking;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Blocking;

/// <summary>What goes to the kernel, and what its refusals mean. What the kernel makes of it is in the tests of the cmdlets,
/// by nft and by packets.</summary>
public sealed class BlockTableTests : IDisposable
{
    private readonly FakeKernel _kernel = new();

    /// <summary>Begin, table, set, elements, two chains with three rules each for UDP from an address of each family, end.</summary>
    private readonly ConntrackFilter _filter = new() { Protocol = [ConntrackPS.Conntrack.IPProtocol.Udp] };

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void The_table_is_the_sockets_own_and_must_be_new()
    {
        _kernel.Answer(Messages.Acknowledgement(8));
        using TrafficBlock block = TrafficBlock.Open(BlockTarget.Of(_filter), _kernel.Connection, null);
        byte[] request = _kernel.ReadRequest();

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

    [Theory]
    [InlineData(1u, Errno.NotSupported, "no nf_tables")]
    [InlineData(2u, Errno.InvalidArgument, "5.12")]
    [InlineData(2u, Errno.NotSupported, "5.12")]
    [InlineData(3u, Errno.NotSupported, "lacks")]
    [InlineData(6u, Errno.NotFound, "lacks")]
    public void A_kernel_that_cannot_block_is_told_by_what_it_refuses(uint sequence, Errno errno, string problem)
    {
        _kernel.Answer(Messages.Error(sequence, errno));
        BlockingUnavailableException exception = Assert.Throws<BlockingUnavailableException>(
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
}
