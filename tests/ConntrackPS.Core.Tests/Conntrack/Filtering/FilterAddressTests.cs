using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Addresses and ports: the matching entries of a small table, by name.</summary>
public sealed class FilterAddressTests
{
    [Theory]
    [InlineData("192.0.2.1", "web ping")]
    [InlineData("192.0.2.0/30", "web snat ping pingnat")]
    [InlineData("2001:db8::/126", "web6 dnat6 esp6")]
    [InlineData("192.0.2.1 2001:db8::1", "web ping web6")]
    [InlineData("203.0.113.1", "")]
    [InlineData("0.0.0.0/0", "web snat ping pingnat gre sctp")]
    public void SourceAddress(string prefixes, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { SourceAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("198.51.100.7", "web snat ping pingnat")]
    [InlineData("198.51.100.8/31", "gre sctp")]
    [InlineData("2001:db8:7::7", "web6 dnat6 esp6")]
    [InlineData("2001:db8:8::8", "")]
    public void DestinationAddress(string prefixes, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { DestinationAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("2001:db8:8::8", "dnat6")]
    [InlineData("2001:db8:7::7", "web6 esp6")]
    [InlineData("198.51.100.0/24", "web snat ping pingnat gre sctp")]
    public void ReplySourceAddress(string prefixes, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { ReplySourceAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("203.0.113.1", "snat")]
    [InlineData("192.0.2.2", "")]
    [InlineData("192.0.2.1", "web ping")]
    public void ReplyDestinationAddress(string prefixes, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { ReplyDestinationAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("203.0.113.0/24", "snat")]
    [InlineData("2001:db8:8::/48", "dnat6")]
    [InlineData("192.0.2.2", "snat")]
    [InlineData("198.51.100.9 192.0.2.4", "sctp gre")]
    [InlineData("::/0", "web6 dnat6 esp6")]
    public void Address(string prefixes, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { Address = Prefixes(prefixes) }, expected);

    /// <summary>If the other end is translated, the own address of an end is not a translated address.</summary>
    [Theory]
    [InlineData("203.0.113.1", "snat")]
    [InlineData("203.0.113.0/24 2001:db8:8::/48", "snat dnat6")]
    [InlineData("198.51.100.7", "")]
    [InlineData("192.0.2.2", "")]
    [InlineData("2001:db8::2", "")]
    [InlineData("0.0.0.0/0", "snat pingnat")]
    public void TranslatedAddress(string prefixes, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { TranslatedAddress = Prefixes(prefixes) }, expected);

    /// <summary>An ICMP id or a GRE key is not a port, though the kernel stores it in the same place.</summary>
    [Theory]
    [InlineData("4000", "web web6")]
    [InlineData("80", "sctp")]
    [InlineData("4000-5000", "web web6 snat dnat6")]
    [InlineData("0-65535", "web web6 snat dnat6 sctp")]
    [InlineData("6000", "")]
    public void SourcePort(string ports, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { SourcePort = Ports(ports) }, expected);

    [Theory]
    [InlineData("80", "web")]
    [InlineData("80 443", "web web6")]
    [InlineData("53", "snat dnat6")]
    [InlineData("5353", "")]
    public void DestinationPort(string ports, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { DestinationPort = Ports(ports) }, expected);

    [Theory]
    [InlineData("80", "web sctp")]
    [InlineData("5353", "dnat6")]
    [InlineData("6000", "snat")]
    [InlineData("4000", "web web6")]
    public void Port(string ports, string expected) => SmallTable.AssertMeant(new ConntrackFilter { Port = Ports(ports) }, expected);

    [Theory]
    [InlineData("6000", "snat")]
    [InlineData("5353-6000", "snat dnat6")]
    [InlineData("53 5000 80", "")]
    [InlineData("78", "")]
    [InlineData("0-65535", "snat dnat6")]
    public void TranslatedPort(string ports, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { TranslatedPort = Ports(ports) }, expected);

    private static AddressPrefix[] Prefixes(string text) => [.. text.Split(' ').Select(AddressPrefix.Parse)];

    private static PortRange[] Ports(string text) => [.. text.Split(' ').Select(PortRange.Parse)];
}
