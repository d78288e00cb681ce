using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>All conditions except addresses and ports: the matching entries of a small table, by name.</summary>
public sealed class ConntrackFilterTests
{
    [Fact]
    public void Protocol() => SmallTable.AssertMeant(new ConntrackFilter { Protocol = [IPProtocol.Gre, IPProtocol.Esp] }, "gre esp6");

    [Fact]
    public void State()
    {
        SmallTable.AssertMeant(new ConntrackFilter { State = [ConntrackState.Established] }, "web sctp");
        SmallTable.AssertMeant(new ConntrackFilter { State = [ConntrackState.SynSent, ConntrackState.Established] }, "web web6 sctp");
        SmallTable.AssertMeant(new ConntrackFilter { State = [ConntrackState.None] }, "");
    }

    [Fact]
    public void Status()
    {
        SmallTable.AssertMeant(new ConntrackFilter { Status = ConntrackStatus.SeenReply }, "web dnat6 ping");
        SmallTable.AssertMeant(new ConntrackFilter { Status = ConntrackStatus.SeenReply | ConntrackStatus.Assured }, "web");
        SmallTable.AssertMeant(new ConntrackFilter { ExcludeStatus = ConntrackStatus.SeenReply | ConntrackStatus.FixedTimeout }, "web6 snat pingnat esp6 sctp");
        SmallTable.AssertMeant(new ConntrackFilter { Unreplied = true }, "web6 snat pingnat gre esp6 sctp");
    }

    [Fact]
    public void Translation()
    {
        SmallTable.AssertMeant(new ConntrackFilter { SourceNat = true }, "snat pingnat");
        SmallTable.AssertMeant(new ConntrackFilter { DestinationNat = true }, "dnat6");
        SmallTable.AssertMeant(new ConntrackFilter { SourceNat = true, DestinationNat = true }, "");
        SmallTable.AssertMeant(new ConntrackFilter { AnyNat = true }, "snat pingnat dnat6");
        SmallTable.AssertMeant(new ConntrackFilter { AnyNat = true, DestinationNat = true }, "dnat6");
    }

    [Theory]
    [InlineData("0x100", "web")]
    [InlineData("0x100/0xff00", "web web6")]
    [InlineData("0x100 0x1ff", "web web6")]
    [InlineData("0", "snat dnat6 ping pingnat gre esp6 sctp")]
    public void Mark(string marks, string expected) =>
        SmallTable.AssertMeant(new ConntrackFilter { Mark = [.. marks.Split(' ').Select(MaskedMark.Parse)] }, expected);

    [Fact]
    public void Zone()
    {
        SmallTable.AssertMeant(new ConntrackFilter { Zone = [5] }, "snat sctp");
        SmallTable.AssertMeant(new ConntrackFilter { Zone = [9] }, "esp6");
        SmallTable.AssertMeant(new ConntrackFilter { Zone = [5, 9] }, "snat esp6 sctp");
    }

    [Fact]
    public void AddressFamily()
    {
        SmallTable.AssertMeant(new ConntrackFilter { AddressFamily = IPFamily.IPv6 }, "web6 dnat6 esp6");
        SmallTable.AssertMeant(new ConntrackFilter { AddressFamily = IPFamily.IPv4 }, "web snat ping pingnat gre sctp");
    }

    [Fact]
    public void Id()
    {
        SmallTable.AssertMeant(new ConntrackFilter { Id = [1, 9, 100] }, "web sctp");
        Assert.False(new ConntrackFilter { Id = [0] }.Matches(Entries.Any()));
    }

    [Fact]
    public void Every_property_that_is_set_must_match() => SmallTable.AssertMeant(
        new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("192.0.2.0/24")], Protocol = [IPProtocol.Tcp, IPProtocol.Udp], Unreplied = true }, "snat");

    [Fact]
    public void An_empty_filter_means_every_entry() => SmallTable.AssertMeant(new ConntrackFilter(), string.Join(' ', SmallTable.Names));
}
