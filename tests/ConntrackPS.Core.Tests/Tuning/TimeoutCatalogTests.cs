using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Tuning;

public sealed class TimeoutCatalogTests
{
    [Fact]
    public void Every_attribute_number_is_the_headers()
    {
        (string Name, long Ours)[] ours = [.. TimeoutCatalog.All.Select(definition => (CName(definition), (long)definition.Attribute))];
        Assert.Equal(ours.Select(pair => pair.Ours), CProgram.OfSystem().Evaluate(ours.Select(pair => pair.Name)));
    }

    [Fact]
    public void There_are_as_many_states_as_the_kernel_has()
    {
        Assert.Equal(11, TimeoutCatalog.Of(TimeoutProtocol.Tcp).Count);
        Assert.Equal(2, TimeoutCatalog.Of(TimeoutProtocol.Udp).Count);
        Assert.Equal(2, TimeoutCatalog.Of(TimeoutProtocol.UdpLite).Count);
        Assert.Equal(9, TimeoutCatalog.Of(TimeoutProtocol.Sctp).Count);
        Assert.Equal(7, TimeoutCatalog.Of(TimeoutProtocol.Dccp).Count);
        Assert.Equal(2, TimeoutCatalog.Of(TimeoutProtocol.Gre).Count);
        Assert.All(
            [TimeoutProtocol.Icmp, TimeoutProtocol.IcmpV6, TimeoutProtocol.Generic],
            protocol => Assert.Null(Assert.Single(TimeoutCatalog.Of(protocol)).State));
    }

    [Theory]
    [InlineData(TimeoutProtocol.Tcp, "SynSent", "nf_conntrack_tcp_timeout_syn_sent")]
    [InlineData(TimeoutProtocol.Tcp, "SYN_SENT", "nf_conntrack_tcp_timeout_syn_sent")]
    [InlineData(TimeoutProtocol.Tcp, "max_retrans", "nf_conntrack_tcp_timeout_max_retrans")]
    [InlineData(TimeoutProtocol.Tcp, " established ", "nf_conntrack_tcp_timeout_established")]
    [InlineData(TimeoutProtocol.Tcp, "3", "nf_conntrack_tcp_timeout_established")]
    [InlineData(TimeoutProtocol.Sctp, "Established", "nf_conntrack_sctp_timeout_established")]
    [InlineData(TimeoutProtocol.Udp, "stream", "nf_conntrack_udp_timeout_stream")]
    [InlineData(TimeoutProtocol.Icmp, null, "nf_conntrack_icmp_timeout")]
    [InlineData(TimeoutProtocol.Generic, "", "nf_conntrack_generic_timeout")]
    public void A_timeout_is_found_by_its_state_in_any_spelling(TimeoutProtocol protocol, string? state, string sysctl) =>
        Assert.Equal(sysctl, TimeoutCatalog.Find(protocol, state).Sysctl);

    [Theory]
    [InlineData(TimeoutProtocol.Udp, "Established", "Unreplied, Replied")]
    [InlineData(TimeoutProtocol.Udp, null, "Unreplied, Replied")]
    [InlineData(TimeoutProtocol.Gre, "nonsense", "Unreplied, Replied")]
    [InlineData(TimeoutProtocol.Tcp, "99", "SynSent, SynRecv, Established, FinWait, CloseWait, LastAck, TimeWait, Close, SynSent2, Retrans, Unacknowledged")]
    [InlineData(TimeoutProtocol.Icmp, "Replied", "one timeout and no states")]
    public void A_state_that_the_protocol_lacks_is_an_error_that_names_those_it_has(TimeoutProtocol protocol, string? state, string choices) =>
        Assert.Contains(choices, Assert.Throws<UnknownTimeoutException>(() => TimeoutCatalog.Find(protocol, state)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(1, 1u)]
    [InlineData(2147483, 2147483u)]
    public void A_timeout_within_the_range_is_taken(int seconds, uint expected) =>
        Assert.Equal(expected, TimeoutRange.Check(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(0)]
    [InlineData(2147484)]
    [InlineData(int.MaxValue)]
    public void A_timeout_out_of_the_range_is_an_error_that_names_it(int seconds) =>
        Assert.Contains("1 to 2147483 seconds", Assert.Throws<ValueRangeException>(() => TimeoutRange.Check(TimeSpan.FromSeconds(seconds))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(TimeoutProtocol.Tcp, "Established", 7439, "RFC 5382")]
    [InlineData(TimeoutProtocol.Tcp, "Established", 7440, null)]
    [InlineData(TimeoutProtocol.Tcp, "SynSent", 5, null)]
    [InlineData(TimeoutProtocol.Udp, "Replied", 119, "RFC 4787")]
    [InlineData(TimeoutProtocol.Udp, "Unreplied", 10, "RFC 4787")]
    [InlineData(TimeoutProtocol.Udp, "Replied", 120, null)]
    [InlineData(TimeoutProtocol.Sctp, "Established", 5, null)]
    public void A_timeout_shorter_than_an_RFC_demands_is_warned_of(TimeoutProtocol protocol, string state, uint seconds, string? source)
    {
        string? warning = TimeoutAdvice.Check(TimeoutCatalog.Find(protocol, state), seconds);
        if (source is null)
            Assert.Null(warning);
        else
            Assert.Contains(source, warning, StringComparison.Ordinal);
    }

    private static string CName(TimeoutDefinition definition) => (definition.Protocol, definition.State) switch
    {
        (TimeoutProtocol.Tcp, TimeoutState.Unacknowledged) => "CTA_TIMEOUT_TCP_UNACK",
        (TimeoutProtocol.Dccp, TimeoutState.PartOpen) => "CTA_TIMEOUT_DCCP_PARTOPEN",
        (TimeoutProtocol.Dccp, TimeoutState.CloseReq) => "CTA_TIMEOUT_DCCP_CLOSEREQ",
        (TimeoutProtocol.Dccp, TimeoutState.TimeWait) => "CTA_TIMEOUT_DCCP_TIMEWAIT",
        (var protocol, var state) => $"CTA_TIMEOUT_{protocol.ToString().ToUpperInvariant()}_{(state is { } named ? Names.UpperSnake(named.ToString()) : "TIMEOUT")}",
    };
}
