using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Expectations;

public sealed class ExpectationFilterTests
{
    private static readonly ConntrackEntry Master = ExpectationSamples.FtpMaster();

    public static TheoryData<ExpectationFilter, bool> Filters => new()
    {
        { new() { SourceAddress = [AddressPrefix.Parse("198.51.100.0/24")] }, true },
        { new() { SourceAddress = [AddressPrefix.Parse("192.0.2.0/24")] }, false },
        { new() { DestinationAddress = [AddressPrefix.Parse("192.0.2.1")] }, true },
        { new() { DestinationAddress = [AddressPrefix.Parse("2001:db8::/32")] }, false },
        { new() { MasterSourceAddress = [AddressPrefix.Parse("192.0.2.1")] }, true },
        { new() { MasterDestinationAddress = [AddressPrefix.Parse("192.0.2.1")] }, false },
        { new() { SourcePort = [new PortRange(0)] }, true },
        { new() { DestinationPort = [new PortRange(1, 4999)] }, false },
        { new() { DestinationPort = [new PortRange(80), new PortRange(5000)] }, true },
        { new() { Protocol = [IPProtocol.Udp] }, false },
        { new() { Protocol = [IPProtocol.Udp, IPProtocol.Tcp] }, true },
        { new() { Helper = ["FTP"] }, true },
        { new() { Helper = ["sip"] }, false },
        { new() { Master = [EntryKey.Of(Master)] }, true },
        { new() { Master = [EntryKey.Of(Master) with { Zone = 5 }] }, false },
        { new() { Zone = [0] }, true },
        { new() { Zone = [5] }, false },
        { new() { Id = [77] }, true },
        { new() { Id = [78] }, false },
        { new() { AddressFamily = IPFamily.IPv6 }, false },
        { new() { AddressFamily = IPFamily.IPv4, Helper = ["ftp"], Zone = [5] }, false },
    };

    [Theory]
    [MemberData(nameof(Filters))]
    public void Every_condition_counts(ExpectationFilter filter, bool matches)
    {
        ConntrackExpectation expectation = ExpectationSamples.Data(Master);
        (expectation.Helper, expectation.Id) = ("ftp", 77);
        Assert.Equal(matches, filter.Matches(expectation));
        Assert.True(filter.NamesExpectations);
    }

    [Fact]
    public void A_filter_that_lets_everything_through_names_nothing()
    {
        Assert.False(new ExpectationFilter().NamesExpectations);
        Assert.False(new ExpectationFilter { SourceAddress = [AddressPrefix.Parse("0.0.0.0/0")] }.NamesExpectations);
        Assert.False(new ExpectationFilter { SourceAddress = [AddressPrefix.Parse("10.0.0.0/8"), AddressPrefix.Parse("::/0")] }.NamesExpectations);
        Assert.False(new ExpectationFilter { DestinationPort = [new PortRange(0, 65535)] }.NamesExpectations);
    }
}
