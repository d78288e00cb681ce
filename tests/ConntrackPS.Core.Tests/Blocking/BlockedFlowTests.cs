using System.Globalization;
using System.Text.RegularExpressions;
using ConntrackPS.Blocking;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Nftables;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Blocking;

/// <summary>Checks dropped traffic with nft and the table: the sets of flows, their counters, deletion under a block, and the blocks of the
/// process.</summary>
public sealed class BlockedFlowTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Each_kind_of_flow_has_the_set_that_tells_it()
    {
        Assert.Equal("flows", SetOf(Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 80)));
        Assert.Equal("flows6", SetOf(Entries.Udp("2001:db8::1", 4000, "2001:db8::7", 53)));
        Assert.Equal("icmp-flows", SetOf(Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77)));
        Assert.Equal("portless-flows", SetOf(Entries.Generic((IPProtocol)50, "192.0.2.1", "198.51.100.7")));
        Assert.Equal("portless-flows6", SetOf(Entries.Make(IPProtocol.Gre, "2001:db8::1", 0, "2001:db8::7", 0)));
    }

    [Fact]
    public void A_flow_that_no_packet_tells_from_others_has_none()
    {
        Assert.Null(SetOf(Entries.Make(IPProtocol.Gre, "192.0.2.1", 6, "198.51.100.7", 7)));
        Assert.Null(FlowSet.Of(Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77).Original with { HasPorts = false }));
    }

    /// <summary>The tuples as nft shows them.</summary>
    [Fact]
    public void The_kernel_has_the_tuples_of_a_flow_both_ways()
    {
        using TrafficBlock block = TrafficBlock.Open(BlockTarget.Of([Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 80)]), _ns.Namespace);
        Assert.Equal(["192.0.2.1 . 198.51.100.7 . 6 . 4000 . 80", "198.51.100.7 . 192.0.2.1 . 6 . 80 . 4000"], Elements(block, "flows"));
        block.AddFlows([Entries.Tcp("192.0.2.2", 4000, "198.51.100.7", 80)]);
        Assert.Equal(4, Elements(block, "flows").Length);
    }

    [Fact]
    public void Counters_are_those_that_nft_shows()
    {
        ConntrackFilter filter = new() { DestinationAddress = [AddressPrefix.Parse("127.0.0.1")], Protocol = [IPProtocol.Udp] };
        using TrafficBlock block = TrafficBlock.Open(BlockTarget.Of(filter), _ns.Namespace);
        Assert.Equal(default, block.ReadCounters());
        _ns.Exec("bash", "-c", "for i in 1 2 3; do echo hello > /dev/udp/127.0.0.1/9; done 2>/dev/null; true");
        RuleCounters counters = block.ReadCounters();
        Match[] shown = [.. Regex.Matches(_ns.Exec("nft", "list", "table", "inet", block.Table), @"counter packets (\d+) bytes (\d+)").Cast<Match>()];
        ulong packets = Sum(shown, 1), bytes = Sum(shown, 2);
        Assert.Equal(3u, packets);
        Assert.Equal(new RuleCounters(packets, bytes), counters);
        Assert.Equal(new RuleCounters(5, 9), new RuleCounters(2, 3).Plus(new RuleCounters(3, 6)));
    }

    [Fact]
    public void Deletion_under_a_block_takes_what_was_named_and_nothing_else()
    {
        TableFiller.Create(
            _ns, Entries.Udp("192.0.2.1", 1, "198.51.100.7", 53), Entries.Udp("192.0.2.1", 2, "198.51.100.7", 53), Entries.Udp("192.0.2.2", 1, "198.51.100.7", 53));
        ConntrackFilter filter = new() { SourceAddress = [AddressPrefix.Parse("192.0.2.1")] };
        using TrafficBlock block = TrafficBlock.Open(BlockTarget.Of(filter), _ns.Namespace);
        List<EntryResult> results = [];
        BlockedDeletion deletion = new(_ns.Table, block, results.Add, keepDeleted: true);
        DeleteSummary summary = deletion.Run();
        Assert.Equal((2L, 0L, 0L), (summary.Deleted, summary.AlreadyGone, summary.Failed));
        Assert.Equal((1, 0), (deletion.Rounds, deletion.Remaining));
        Assert.Equal(["1", "2"], results.Select(result => $"{((ConntrackEntry)result.Entry).SourcePort}").Order());
        Assert.Equal("192.0.2.2", Assert.Single(ConntrackTool.ListXml(_ns)).Original.Source);
        Assert.Equal(4, Elements(block, "flows").Length);
    }

    [Fact]
    public void Deletion_that_is_cancelled_says_so()
    {
        TableFiller.Create(_ns, Entries.Udp("192.0.2.1", 1, "198.51.100.7", 53));
        using TrafficBlock block = TrafficBlock.Open(BlockTarget.Of(new ConntrackFilter { Protocol = [IPProtocol.Udp] }), _ns.Namespace);
        Assert.Throws<OperationCanceledException>(() => new BlockedDeletion(_ns.Table, block, _ => { }).Run(new CancellationToken(canceled: true)));
        Assert.Single(ConntrackTool.ListXml(_ns));
    }

    [Fact]
    public void A_session_holds_blocks_by_number_until_they_are_ended()
    {
        ConntrackFilter filter = new() { SourceAddress = [AddressPrefix.Parse("192.0.2.1")] };
        ConntrackBlock first = BlockSession.Hold(TrafficBlock.Open(BlockTarget.Of(filter), _ns.Namespace));
        ConntrackBlock second = BlockSession.Hold(TrafficBlock.Open(BlockTarget.Of(filter), _ns.Namespace));
        try
        {
            Assert.True(second.Id > first.Id);
            Assert.Contains(first.Table, _ns.Exec("nft", "list", "tables"), StringComparison.Ordinal);
            Assert.True(BlockSession.End(first.Id));
            Assert.False(BlockSession.End(first.Id));
            Assert.Null(BlockSession.Read(first.Id));
            Assert.DoesNotContain(first.Id, BlockSession.Ids());
            Assert.DoesNotContain(first.Table, _ns.Exec("nft", "list", "tables"), StringComparison.Ordinal);
            Assert.Equal(second.Table, BlockSession.Read(second.Id)!.Table);
        }
        finally
        {
            BlockSession.End(second.Id);
        }

        Assert.Equal("", _ns.Exec("nft", "list", "tables"));
    }

    private static string? SetOf(ConntrackEntry entry) => FlowSet.Of(entry.Original)?.Name;

    private string[] Elements(TrafficBlock block, string set)
    {
        string listed = _ns.Exec("nft", "-n", "list", "set", "inet", block.Table, set);
        string elements = Regex.Match(listed, @"elements = \{([^}]*)\}").Groups[1].Value;
        return [.. elements.Split(',').Select(element => Regex.Replace(element, @"\s+", " ").Trim()).Order(StringComparer.Ordinal)];
    }

    private static ulong Sum(Match[] matches, int group) =>
        matches.Aggregate(0ul, (sum, match) => sum + ulong.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture));
}
