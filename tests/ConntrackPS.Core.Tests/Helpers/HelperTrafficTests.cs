using System.Globalization;
using System.Text.RegularExpressions;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Helpers;
using ConntrackPS.Rules;

namespace ConntrackPS.Tests.Helpers;

/// <summary>Rules for helpers, and the data connections of real programs through NAT that they allow.</summary>
public sealed class HelperTrafficTests : IDisposable
{
    private readonly HelperLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData("ftp", "ftp-active", 4, "198.51.100.10")]
    [InlineData("ftp", "ftp-active", 6, "2001:db8:100::10")]
    [InlineData("ftp", "ftp-passive", 4, "198.51.100.1")]
    [InlineData("ftp", "ftp-passive", 6, "2001:db8:100::1")]
    [InlineData("tftp", "tftp", 4, "198.51.100.10")]
    [InlineData("tftp", "tftp", 6, "2001:db8:100::10")]
    [InlineData("sip", "sip-udp", 4, "198.51.100.10")]
    [InlineData("sip", "sip-udp", 6, "2001:db8:100::10")]
    [InlineData("sip", "sip-tcp", 4, "198.51.100.10")]
    [InlineData("sip", "sip-tcp", 6, "2001:db8:100::10")]
    public void The_data_connection_comes_only_with_the_helper(string helper, string protocol, int family, string server)
    {
        Assert.NotNull(_lab.Exchange(protocol, family));
        Assert.Empty(_lab.List(family, "-u", "EXPECTED"));
        Assert.Equal(0, CountExpectations());

        using TrafficRule rule = Open(helper, new ConntrackFilter { DestinationAddress = [AddressPrefix.Parse(server)] });
        Assert.Null(_lab.Exchange(protocol, family));
        Assert.True(CountExpectations() > 0);
        Assert.True(rule.ReadCounters().Packets > 0);
        Assert.Contains(_lab.List(family), line => line.Contains($"helper={helper} ", StringComparison.Ordinal));
        string data = Assert.Single(_lab.List(family, "-u", "EXPECTED"));
        Assert.DoesNotContain("UNREPLIED", data, StringComparison.Ordinal);
        Assert.DoesNotContain($"packets=0 ", data, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("192.0.2.99", "0.0.0.0/0")]
    [InlineData("198.51.100.10", "10.99.0.0/16")]
    public void Traffic_of_others_does_not_get_it(string destination, string source)
    {
        ConntrackFilter traffic = new() { DestinationAddress = [AddressPrefix.Parse(destination)], SourceAddress = [AddressPrefix.Parse(source)] };
        using TrafficRule rule = Open("ftp", traffic);
        Assert.NotNull(_lab.Exchange("ftp-active", 4));
        Assert.Equal(0, CountExpectations());
        Assert.Equal(0ul, rule.ReadCounters().Packets);
    }

    [Fact]
    public void Further_ports_are_those_of_the_rule()
    {
        ConntrackFilter traffic = new() { SourceAddress = [AddressPrefix.Parse("10.77.1.0/24")], DestinationPort = [new PortRange(2121)] };
        using TrafficRule rule = Open("ftp", traffic);
        Assert.Null(_lab.Exchange("ftp-active", 4, "2121"));
        Assert.NotNull(_lab.Exchange("ftp-active", 4));
    }

    [Fact]
    public void A_rule_of_one_protocol_leaves_the_other_alone()
    {
        ConntrackFilter traffic = new() { Protocol = [IPProtocol.Tcp], DestinationAddress = [AddressPrefix.Parse("198.51.100.10")] };
        using TrafficRule rule = Open("sip", traffic);
        Assert.NotNull(_lab.Exchange("sip-udp", 4));
        Assert.Null(_lab.Exchange("sip-tcp", 4));
    }

    private TrafficRule Open(string helper, ConntrackFilter traffic)
    {
        HelperRequest request = HelperRequest.Of(helper, traffic, allowsUnsafe: false);
        return TrafficRule.Open(request.Traffic, request.Action, _lab.Router.Namespace);
    }

    /// <summary>The number of expectations that the router's kernel has made, with those that were used.</summary>
    private int CountExpectations() =>
        Regex.Matches(_lab.Router.Exec("conntrack", "-S", "expect"), @"expect_create=(\d+)").Sum(found => int.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture));
}
