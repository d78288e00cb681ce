using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack;

/// <summary>The text in the confirmation of a deletion.</summary>
public sealed class EntryTextTests
{
    [Fact]
    public void Ports_stand_after_the_address() =>
        Assert.Equal("tcp 192.0.2.1:4000 -> 198.51.100.7:80", Entries.Any().ToString());

    [Fact]
    public void IPv6_addresses_with_ports_stand_in_brackets() =>
        Assert.Equal("udp [2001:db8::1]:4000 -> [2001:db8::2]:53", Entries.Udp("2001:db8::1", 4000, "2001:db8::2", 53).ToString());

    [Fact]
    public void Protocols_without_ports_have_addresses_alone()
    {
        Assert.Equal("esp 192.0.2.1 -> 198.51.100.7", Entries.Generic(IPProtocol.Esp, "192.0.2.1", "198.51.100.7").ToString());
        Assert.Equal("200 2001:db8::1 -> 2001:db8::2", Entries.Generic((IPProtocol)200, "2001:db8::1", "2001:db8::2").ToString());
    }

    [Fact]
    public void ICMP_has_type_code_and_id() =>
        Assert.Equal("icmp 192.0.2.1 -> 198.51.100.7 type 8 code 0 id 77", Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77).ToString());

    [Fact]
    public void Translation_shows_what_the_flow_becomes()
    {
        Assert.Equal(
            "tcp 192.0.2.1:4000 -> 198.51.100.7:80 source as 203.0.113.1:5000 destination as 203.0.113.2:8080",
            Entries.Any().WithSourceNat("203.0.113.1", 5000).WithDestinationNat("203.0.113.2", 8080).ToString());
        Assert.Equal(
            "esp 192.0.2.1 -> 198.51.100.7 source as 203.0.113.1",
            Entries.Generic(IPProtocol.Esp, "192.0.2.1", "198.51.100.7").WithSourceNat("203.0.113.1").ToString());
        Assert.Equal(
            "udp [2001:db8::1]:1 -> [2001:db8::2]:2 destination as [2001:db8::3]:2",
            Entries.Udp("2001:db8::1", 1, "2001:db8::2", 2).WithDestinationNat("2001:db8::3", 2).ToString());
    }

    [Fact]
    public void A_changed_port_alone_is_a_translation() =>
        Assert.Equal("tcp 192.0.2.1:4000 -> 198.51.100.7:80 source as 192.0.2.1:5000", Entries.Any().WithSourceNat("192.0.2.1", 5000).ToString());

    [Fact]
    public void A_zone_is_named()
    {
        ConntrackEntry entry = Entries.Any();
        entry.Zone = 5;
        Assert.Equal("tcp 192.0.2.1:4000 -> 198.51.100.7:80 zone 5", entry.ToString());
    }
}
