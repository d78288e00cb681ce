using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Helpers;

namespace ConntrackPS.Tests.Helpers;

/// <summary>Which traffic may get a helper.</summary>
public sealed class HelperRequestTests
{
    /// <summary>Empty texts are left out.</summary>
    [Theory]
    [InlineData("ftp", "", "", HelperRefusal.Unsafe)]
    [InlineData("ftp", "0.0.0.0/0", "", HelperRefusal.Unsafe)]
    [InlineData("ftp", "::/0", "", HelperRefusal.Unsafe)]
    [InlineData("ftp", "10.0.0.0/8 0.0.0.0/0", "", HelperRefusal.Unsafe)]
    [InlineData("ftp", "", "0.0.0.0/0", HelperRefusal.Unsafe)]
    [InlineData("ftp", "10.0.0.0/8", "", null)]
    [InlineData("ftp", "", "192.0.2.1", null)]
    [InlineData("ftp", "10.0.0.0/8", "192.0.2.1", null)]
    [InlineData("ftp", "fd00::/8", "", null)]
    [InlineData("tftp", "", "2001:db8::1", null)]
    [InlineData("sip", "10.0.0.0/8", "", HelperRefusal.Unsafe)]
    [InlineData("sip", "10.0.0.0/8", "::/0", HelperRefusal.Contradiction)]
    [InlineData("sip", "", "192.0.2.0/24 ::/0", HelperRefusal.Unsafe)]
    [InlineData("sip", "", "192.0.2.0/24", null)]
    [InlineData("irc", "10.0.0.0/8", "", HelperRefusal.Unsafe)]
    [InlineData("RAS", "10.0.0.0/8", "", HelperRefusal.Unsafe)]
    [InlineData("Q.931", "10.0.0.0/8", "", HelperRefusal.Unsafe)]
    [InlineData("snmp", "10.0.0.0/8", "", HelperRefusal.Unsafe)]
    [InlineData("netbios-ns", "10.0.0.0/8", "", HelperRefusal.Unsafe)]
    [InlineData("netbios-ns", "", "10.255.255.255", null)]
    [InlineData("pptp", "10.0.0.0/8", "", null)]
    [InlineData("pptp", "fd00::/8", "", HelperRefusal.Family)]
    [InlineData("irc", "", "192.0.2.1 2001:db8::1", HelperRefusal.Family)]
    [InlineData("ftp", "10.0.0.0/8", "2001:db8::1", HelperRefusal.Contradiction)]
    [InlineData("H.245", "", "192.0.2.1", HelperRefusal.NoPort)]
    public void A_helper_needs_servers_or_at_least_clients(string helper, string sources, string destinations, object? refusal)
    {
        ConntrackFilter traffic = new() { SourceAddress = Parse(sources), DestinationAddress = Parse(destinations) };
        if (refusal is null)
        {
            HelperRequest request = HelperRequest.Of(helper, traffic, allowsUnsafe: false);
            Assert.Equal(helper, request.Action.Helper);
            return;
        }

        HelperRefusedException exception = Assert.Throws<HelperRefusedException>(() => HelperRequest.Of(helper, traffic, allowsUnsafe: false));
        Assert.Equal(refusal, exception.Reason);
        Assert.Equal(helper, exception.Helper);
        if (exception.Reason == HelperRefusal.Unsafe)
            Assert.Equal(helper, HelperRequest.Of(helper, traffic, allowsUnsafe: true).Helper.Name);
        else
            Assert.Throws<HelperRefusedException>(() => HelperRequest.Of(helper, traffic, allowsUnsafe: true));
    }

    [Fact]
    public void Every_helper_with_a_caution_needs_servers()
    {
        ConntrackFilter traffic = new() { SourceAddress = Parse("10.0.0.0/8") };
        foreach (HelperDefinition helper in HelperCatalog.All.Where(helper => helper is { Caution: not null, Ports.Length: > 0 }))
        {
            HelperRefusedException exception = Assert.Throws<HelperRefusedException>(() => HelperRequest.Of(helper.Name, traffic, allowsUnsafe: false));
            Assert.EndsWith(helper.Caution!, exception.Message, StringComparison.Ordinal);
            Assert.Equal(nameof(ConntrackFilter.DestinationAddress), exception.Property);
        }
    }

    [Fact]
    public void Ports_and_protocols_are_those_of_the_helper_unless_given()
    {
        ConntrackFilter servers = new() { DestinationAddress = Parse("192.0.2.1") };
        HelperRequest sip = HelperRequest.Of("SIP", servers, allowsUnsafe: false);
        Assert.Equal([IPProtocol.Udp, IPProtocol.Tcp], sip.Action.Protocols);
        Assert.Equal([new PortRange(5060)], sip.Traffic.DestinationPort);

        HelperRequest one = HelperRequest.Of("sip", servers with { Protocol = [IPProtocol.Tcp, IPProtocol.Tcp], DestinationPort = [new PortRange(5062, 5064)] }, allowsUnsafe: false);
        Assert.Equal([IPProtocol.Tcp], one.Action.Protocols);
        Assert.Equal([new PortRange(5062, 5064)], one.Traffic.DestinationPort);

        // A rule is for the server's port, whatever property gives it.
        Assert.Equal(one.Traffic.ToString(), HelperRequest.Of("sip", servers with { Protocol = [IPProtocol.Tcp], Port = [new PortRange(5062, 5064)] }, allowsUnsafe: false).Traffic.ToString());

        HelperRefusedException exception = Assert.Throws<HelperRefusedException>(
            () => HelperRequest.Of("ftp", servers with { Protocol = [IPProtocol.Udp] }, allowsUnsafe: true));
        Assert.Equal((HelperRefusal.Protocol, "The helper ftp reads tcp, not udp."), (exception.Reason, exception.Message));
    }

    [Fact]
    public void A_helper_of_one_family_gets_rules_of_that_family_only()
    {
        Assert.Equal(IPFamily.IPv4, HelperRequest.Of("pptp", new ConntrackFilter(), allowsUnsafe: true).Traffic.AddressFamily);
        Assert.Equal(IPFamily.Unspecified, HelperRequest.Of("ftp", new ConntrackFilter(), allowsUnsafe: true).Traffic.AddressFamily);
    }

    [Theory]
    [InlineData("nosuch")]
    [InlineData("ftp-2121")]
    [InlineData("f*")]
    [InlineData("")]
    public void An_unknown_name_is_refused(string name) =>
        Assert.Throws<UnknownHelperException>(() => HelperRequest.Of(name, new ConntrackFilter(), allowsUnsafe: true));

    private static AddressPrefix[] Parse(string prefixes) =>
        [.. prefixes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(prefix => AddressPrefix.Parse(prefix))];
}
