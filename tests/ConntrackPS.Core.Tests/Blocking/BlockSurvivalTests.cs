using ConntrackPS.Blocking;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tests.Blocking;

/// <summary>The kernel keeps the tables of blocks as long as the blocks exist, whatever else the process does.</summary>
public sealed class BlockSurvivalTests : IDisposable
{
    private readonly NetworkNamespaceFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    /// <summary>The kernel's work at the end of a block takes time. Meanwhile the port id of the closing socket is already free, but
    /// nf_tables is not notified yet. So all blocks end at once here, while others are created.</summary>
    [Fact]
    public void Blocks_outlive_the_closing_of_other_sockets()
    {
        const int Count = 6;
        int rounds = Exhaustive.Rounds(15, 40);
        using CancellationTokenSource stop = new();
        Thread[] busy =
        [
            .. Enumerable.Range(0, 4).Select(_ => new Thread(() => _fixture.Namespace.Run(() => OpenAndClose(OpenAutobound, stop.Token)))),
            new(() => _fixture.Namespace.Run(() => OpenAndClose(() => NetlinkSocket.Open(), stop.Token))),
        ];
        Array.ForEach(busy, thread => thread.Start());
        int missing = 0, lost = 0;
        try
        {
            for (int round = 0; round < rounds; round++)
            {
                TrafficBlock[] held = new TrafficBlock[Count];
                AtOnce(Count, i => held[i] = Block());
                missing += held.Select(block => block.Table).Except(Tables()).Count();
                lost += held.Sum(block => block.LossCount);
                AtOnce(Count, i => held[i].Dispose());
            }
        }
        finally
        {
            stop.Cancel();
            Array.ForEach(busy, thread => thread.Join());
        }

        // None had to be created again either.
        Assert.Equal((0, 0), (missing, lost));
        Assert.Empty(Tables());
    }

    [Fact]
    public void A_table_that_is_lost_is_made_again_unasked_with_all_that_was_in_it()
    {
        using LosableBlock losable = new(Target, _fixture.Namespace);
        losable.Block.AddFlows([Entries.Tcp("192.0.2.7", 40000, "198.51.100.7", 80)]);
        string before = List(losable.Block);
        Assert.Contains("192.0.2.7 . 198.51.100.7 . tcp . 40000 . 80", before, StringComparison.Ordinal);
        losable.Lose();
        Assert.True(Wait.Until(() => Tables().Contains(losable.Block.Table)));
        Assert.True(Wait.Until(() => losable.Block.IsInForce));
        Assert.Equal(before, List(losable.Block));
        Assert.Equal(1, losable.Block.LossCount);
        Assert.NotNull(losable.Block.LastLoss);
        Assert.Contains("once", losable.Block.Problem, StringComparison.Ordinal);

        // The loss of the new table is reported too.
        losable.Lose();
        Assert.True(Wait.Until(() => losable.Block.LossCount == 2 && losable.Block.IsInForce));
        Assert.Equal(before, List(losable.Block));
    }

    [Fact]
    public void Flows_that_are_added_to_a_lost_table_find_it_made_again()
    {
        using LosableBlock losable = new(Target, _fixture.Namespace);
        losable.Block.AddFlows([Entries.Tcp("192.0.2.7", 40000, "198.51.100.7", 80)]);
        losable.Lose();
        losable.Block.AddFlows([Entries.Tcp("192.0.2.8", 40000, "198.51.100.7", 80)]);
        string table = List(losable.Block);
        Assert.Contains("192.0.2.7 . 198.51.100.7", table, StringComparison.Ordinal);
        Assert.Contains("192.0.2.8 . 198.51.100.7", table, StringComparison.Ordinal);
        Assert.Equal(1, losable.Block.LossCount);
    }

    [Fact]
    public void A_block_is_read_as_the_kernel_has_it()
    {
        int id = 0;
        using LosableBlock losable = new(Target, _fixture.Namespace);
        try
        {
            id = BlockSession.Hold(losable.Block).Id;
            ConntrackBlock block = BlockSession.Read(id)!;
            Assert.True(block.IsInForce);
            Assert.Null(block.Problem);
            losable.Usurp();
            block = BlockSession.Read(id)!;
            Assert.False(block.IsInForce);
            Assert.Equal(1, block.LossCount);
            Assert.Contains("EEXIST", block.Problem, StringComparison.Ordinal);
            _fixture.Exec("nft", "delete", "table", "inet", block.Table);
            block = BlockSession.Read(id)!;
            Assert.True(block.IsInForce);
            Assert.Equal(1, block.LossCount);
            Assert.Contains("flags owner", List(losable.Block), StringComparison.Ordinal);
        }
        finally
        {
            BlockSession.End(id);
        }
    }

    [Fact]
    public void What_a_lost_table_had_dropped_when_it_was_read_stays_counted()
    {
        _fixture.TrackPackets();
        using LosableBlock losable = new(BlockTarget.Of(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("127.0.0.1")] }), _fixture.Namespace);
        Ping();
        Assert.Equal(1u, losable.Block.ReadCounters().Packets);
        losable.Lose();
        Assert.Equal(1u, losable.Block.ReadCounters().Packets);
        Assert.Equal(1, losable.Block.LossCount);
        Ping();
        Assert.Equal(2u, losable.Block.ReadCounters().Packets);
    }

    private static BlockTarget Target => BlockTarget.Of(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("192.0.2.1")] });

    private static void AtOnce(int count, Action<int> work)
    {
        Thread[] threads = [.. Enumerable.Range(0, count).Select(i => new Thread(() => work(i)))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
    }

    private void Ping() => Assert.Throws<InvalidOperationException>(() => _fixture.Exec("ping", "-q", "-c1", "-W1", "127.0.0.1"));

    private string List(TrafficBlock block) => _fixture.Exec("nft", "list", "table", "inet", block.Table);

    private TrafficBlock Block() => TrafficBlock.Open(Target, _fixture.Namespace);

    /// <summary>The tables that nft lists, sorted.</summary>
    private IEnumerable<string> Tables() =>
        _fixture.Exec("nft", "list", "tables").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line["table inet ".Length..]).Order(StringComparer.Ordinal);

    private static bool OpenAndClose(Func<IDisposable> open, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
            open().Dispose();
        return true;
    }

    /// <summary>A socket as other libraries open it: the kernel picks its port.</summary>
    private static SafeFileHandle OpenAutobound()
    {
        SafeFileHandle socket = LibC.Socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NetlinkProtocol.NetfilterFamily);
        NativeMethods.BindToAny(socket);
        return socket;
    }
}
