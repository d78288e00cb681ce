using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Each property of a filter, on one small table: which entries are meant, by name.</summary>
public sealed class ConntrackFilterTests
{
    private static readonly Dictionary<string, ConntrackEntry> Table = new()
    {
        ["web"] = With(Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 80).WithState(ConntrackState.Established), ConntrackStatus.SeenReply | ConntrackStatus.Assured, mark: 0x100, id: 1),
        ["web6"] = With(Entries.Tcp("2001:db8::1", 4000, "2001:db8:7::7", 443).WithState(ConntrackState.SynSent), mark: 0x1ff, id: 2),
        ["snat"] = With(Entries.Udp("192.0.2.2", 5000, "198.51.100.7", 53).WithSourceNat("203.0.113.1", 6000), zone: 5, id: 3),
        ["dnat6"] = With(Entries.Udp("2001:db8::2", 5000, "2001:db8:7::7", 53).WithDestinationNat("2001:db8:8::8", 5353), ConntrackStatus.SeenReply, id: 4),
        ["ping"] = With(Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 4000), ConntrackStatus.SeenReply, id: 5),
        ["pingnat"] = With(Entries.Icmp("192.0.2.3", "198.51.100.7", 8, 0, 77).WithSourceNat("192.0.2.3", 78), id: 6),
        ["gre"] = With(Entries.Make(IPProtocol.Gre, "192.0.2.4", 80, "198.51.100.8", 80), ConntrackStatus.FixedTimeout, id: 7),
        ["esp6"] = With(Entries.Generic(IPProtocol.Esp, "2001:db8::3", "2001:db8:7::7").WithZone(TupleDirection.Original, 9), id: 8),
        ["sctp"] = With(Entries.Make(IPProtocol.Sctp, "192.0.2.5", 80, "198.51.100.9", 2905).WithState(ConntrackState.Established).WithZone(TupleDirection.Reply, 5), id: 9),
    };

    [Theory]
    [InlineData("192.0.2.1", "web ping")]
    [InlineData("192.0.2.0/30", "web snat ping pingnat")]
    [InlineData("2001:db8::/126", "web6 dnat6 esp6")]
    [InlineData("192.0.2.1 2001:db8::1", "web ping web6")]
    [InlineData("203.0.113.1", "")]
    [InlineData("0.0.0.0/0", "web snat ping pingnat gre sctp")]
    public void SourceAddress(string prefixes, string expected) =>
        AssertMeant(new ConntrackFilter { SourceAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("198.51.100.7", "web snat ping pingnat")]
    [InlineData("198.51.100.8/31", "gre sctp")]
    [InlineData("2001:db8:7::7", "web6 dnat6 esp6")]
    [InlineData("2001:db8:8::8", "")]
    public void DestinationAddress(string prefixes, string expected) =>
        AssertMeant(new ConntrackFilter { DestinationAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("2001:db8:8::8", "dnat6")]
    [InlineData("2001:db8:7::7", "web6 esp6")]
    [InlineData("198.51.100.0/24", "web snat ping pingnat gre sctp")]
    public void ReplySourceAddress(string prefixes, string expected) =>
        AssertMeant(new ConntrackFilter { ReplySourceAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("203.0.113.1", "snat")]
    [InlineData("192.0.2.2", "")]
    [InlineData("192.0.2.1", "web ping")]
    public void ReplyDestinationAddress(string prefixes, string expected) =>
        AssertMeant(new ConntrackFilter { ReplyDestinationAddress = Prefixes(prefixes) }, expected);

    [Theory]
    [InlineData("203.0.113.0/24", "snat")]
    [InlineData("2001:db8:8::/48", "dnat6")]
    [InlineData("192.0.2.2", "snat")]
    [InlineData("198.51.100.9 192.0.2.4", "sctp gre")]
    [InlineData("::/0", "web6 dnat6 esp6")]
    public void Address(string prefixes, string expected) =>
        AssertMeant(new ConntrackFilter { Address = Prefixes(prefixes) }, expected);

    /// <summary>An ICMP id or a GRE key is no port, though the kernel keeps it in the same place.</summary>
    [Theory]
    [InlineData("4000", "web web6")]
    [InlineData("80", "sctp")]
    [InlineData("4000-5000", "web web6 snat dnat6")]
    [InlineData("0-65535", "web web6 snat dnat6 sctp")]
    [InlineData("6000", "")]
    public void SourcePort(string ports, string expected) =>
        AssertMeant(new ConntrackFilter { SourcePort = Ports(ports) }, expected);

    [Theory]
    [InlineData("80", "web")]
    [InlineData("80 443", "web web6")]
    [InlineData("53", "snat dnat6")]
    [InlineData("5353", "")]
    public void DestinationPort(string ports, string expected) =>
        AssertMeant(new ConntrackFilter { DestinationPort = Ports(ports) }, expected);

    [Theory]
    [InlineData("80", "web sctp")]
    [InlineData("5353", "dnat6")]
    [InlineData("6000", "snat")]
    [InlineData("4000", "web web6")]
    public void Port(string ports, string expected) => AssertMeant(new ConntrackFilter { Port = Ports(ports) }, expected);

    [Fact]
    public void Protocol() => AssertMeant(new ConntrackFilter { Protocol = [IPProtocol.Gre, IPProtocol.Esp] }, "gre esp6");

    [Fact]
    public void State()
    {
        AssertMeant(new ConntrackFilter { State = [ConntrackState.Established] }, "web sctp");
        AssertMeant(new ConntrackFilter { State = [ConntrackState.SynSent, ConntrackState.Established] }, "web web6 sctp");
        AssertMeant(new ConntrackFilter { State = [ConntrackState.None] }, "");
    }

    [Fact]
    public void Status()
    {
        AssertMeant(new ConntrackFilter { Status = ConntrackStatus.SeenReply }, "web dnat6 ping");
        AssertMeant(new ConntrackFilter { Status = ConntrackStatus.SeenReply | ConntrackStatus.Assured }, "web");
        AssertMeant(new ConntrackFilter { ExcludeStatus = ConntrackStatus.SeenReply | ConntrackStatus.FixedTimeout }, "web6 snat pingnat esp6 sctp");
        AssertMeant(new ConntrackFilter { Unreplied = true }, "web6 snat pingnat gre esp6 sctp");
    }

    [Fact]
    public void Translation()
    {
        AssertMeant(new ConntrackFilter { SourceNat = true }, "snat pingnat");
        AssertMeant(new ConntrackFilter { DestinationNat = true }, "dnat6");
        AssertMeant(new ConntrackFilter { SourceNat = true, DestinationNat = true }, "");
    }

    [Theory]
    [InlineData("0x100", "web")]
    [InlineData("0x100/0xff00", "web web6")]
    [InlineData("0x100 0x1ff", "web web6")]
    [InlineData("0", "snat dnat6 ping pingnat gre esp6 sctp")]
    public void Mark(string marks, string expected) =>
        AssertMeant(new ConntrackFilter { Mark = [.. marks.Split(' ').Select(MaskedMark.Parse)] }, expected);

    [Fact]
    public void Zone()
    {
        AssertMeant(new ConntrackFilter { Zone = [5] }, "snat sctp");
        AssertMeant(new ConntrackFilter { Zone = [9] }, "esp6");
        AssertMeant(new ConntrackFilter { Zone = [5, 9] }, "snat esp6 sctp");
    }

    [Fact]
    public void AddressFamily()
    {
        AssertMeant(new ConntrackFilter { AddressFamily = IPFamily.IPv6 }, "web6 dnat6 esp6");
        AssertMeant(new ConntrackFilter { AddressFamily = IPFamily.IPv4 }, "web snat ping pingnat gre sctp");
    }

    [Fact]
    public void Id()
    {
        AssertMeant(new ConntrackFilter { Id = [1, 9, 100] }, "web sctp");
        Assert.False(new ConntrackFilter { Id = [0] }.Matches(Entries.Any()));
    }

    [Fact]
    public void Every_property_that_is_set_must_match() => AssertMeant(
        new ConntrackFilter { SourceAddress = Prefixes("192.0.2.0/24"), Protocol = [IPProtocol.Tcp, IPProtocol.Udp], Unreplied = true }, "snat");

    [Fact]
    public void An_empty_filter_means_every_entry() => AssertMeant(new ConntrackFilter(), string.Join(' ', Table.Keys));

    private static ConntrackEntry With(ConntrackEntry entry, ConntrackStatus status = 0, uint mark = 0, ushort zone = 0, uint id = 0)
    {
        entry.Status |= status;
        (entry.Mark, entry.Zone, entry.RawId) = (mark, zone, id);
        entry.Fields |= EntryFields.Id;
        return entry;
    }

    private static AddressPrefix[] Prefixes(string text) => [.. text.Split(' ').Select(AddressPrefix.Parse)];

    private static PortRange[] Ports(string text) => [.. text.Split(' ').Select(PortRange.Parse)];

    private static void AssertMeant(ConntrackFilter filter, string expected) => Assert.Equal(
        expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(),
        Table.Where(pair => filter.Matches(pair.Value)).Select(pair => pair.Key).Order());
}
