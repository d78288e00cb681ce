using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>The part of a filter for the kernel, the part checked here, and the filters that one request may delete.</summary>
public class FilterPlannerTests
{
    private const string V4 = "192.0.2.1";
    private const string V6 = "2001:db8::1";

    public static TheoryData<string, ConntrackFilter, string, bool> Plans => new()
    {
        { "nothing", new() { }, "kernel: everything", false },
        { "a family", new() { AddressFamily = IPFamily.IPv6 }, "kernel: address family IPv6; here: nothing", true },
        { "an IPv4 source", new() { SourceAddress = Prefixes(V4) }, "kernel: source address 192.0.2.1; here: nothing", true },
        { "an IPv4 destination", new() { DestinationAddress = Prefixes(V4) }, "kernel: destination address 192.0.2.1; here: nothing", true },
        { "an IPv4 reply source", new() { ReplySourceAddress = Prefixes(V4) }, "kernel: reply source address 192.0.2.1; here: nothing", true },
        { "an IPv4 reply destination", new() { ReplyDestinationAddress = Prefixes(V4) }, "kernel: reply destination address 192.0.2.1; here: nothing", true },
        { "an IPv6 source", new() { SourceAddress = Prefixes(V6) }, "kernel: nothing; here: source address 2001:db8::1", false },
        { "a prefix", new() { SourceAddress = Prefixes("192.0.2.0/24") }, "kernel: nothing; here: source address 192.0.2.0/24", false },
        { "two sources", new() { SourceAddress = Prefixes(V4, "192.0.2.2") }, "kernel: nothing; here: source address 192.0.2.1 or 192.0.2.2", false },
        { "any address", new() { Address = Prefixes(V4) }, "kernel: nothing; here: any address 192.0.2.1", false },
        { "a protocol without a family", new() { Protocol = [IPProtocol.Tcp] }, "kernel: nothing; here: protocol Tcp", false },
        { "a protocol of a family", new() { AddressFamily = IPFamily.IPv6, Protocol = [IPProtocol.Sctp] }, "kernel: address family IPv6 and protocol Sctp; here: nothing", true },
        { "two protocols", new() { AddressFamily = IPFamily.IPv4, Protocol = [IPProtocol.Tcp, IPProtocol.Udp] }, "kernel: address family IPv4; here: protocol Tcp or Udp", false },
        { "a TCP port", Of(IPProtocol.Tcp, new(80)), "kernel: address family IPv4 and protocol Tcp and destination port 80; here: nothing", true },
        { "a UDP port", Of(IPProtocol.Udp, new(53)), "kernel: address family IPv4 and protocol Udp and destination port 53; here: nothing", true },
        { "an SCTP port", Of(IPProtocol.Sctp, new(5061)), "kernel: address family IPv4 and protocol Sctp; here: destination port 5061", false },
        { "a UDPLite port", Of(IPProtocol.UdpLite, new(9)), "kernel: address family IPv4 and protocol UdpLite; here: destination port 9", false },
        { "a range of ports", Of(IPProtocol.Tcp, new(80, 90)), "kernel: address family IPv4 and protocol Tcp; here: destination port 80-90", false },
        { "a port without a protocol", new() { SourceAddress = Prefixes(V4), DestinationPort = [new(80)] }, "kernel: source address 192.0.2.1; here: destination port 80", false },
        { "an ICMP type", new() { AddressFamily = IPFamily.IPv4, Protocol = [IPProtocol.Icmp], IcmpType = [8], IcmpId = [7] }, "kernel: address family IPv4 and protocol Icmp and ICMP type 8 and ICMP id 7; here: nothing", true },
        { "an ICMP type without a protocol", new() { AddressFamily = IPFamily.IPv4, IcmpType = [8] }, "kernel: address family IPv4; here: ICMP type 8", false },
        { "a mark", new() { Mark = [new(7)] }, "kernel: mark 0x7; here: nothing", true },
        { "a mark of 0", new() { Mark = [new(0)] }, "kernel: mark 0x0; here: nothing", true },
        { "a masked mark", new() { Mark = [new(0x100, 0xff00)] }, "kernel: mark 0x100/0xff00; here: nothing", true },
        { "an empty mask", new() { Mark = [new(0, 0)] }, "kernel: nothing; here: mark 0x0/0x0", false },
        { "two marks", new() { Mark = [new(1), new(2)] }, "kernel: nothing; here: mark 0x1 or 0x2", false },
        { "status bits", new() { Status = ConntrackStatus.Assured }, "kernel: status Assured; here: nothing", true },
        { "no reply", new() { Unreplied = true }, "kernel: no reply seen; here: nothing", true },
        { "excluded bits", new() { ExcludeStatus = ConntrackStatus.Assured }, "kernel: status without Assured; here: nothing", true },
        { "a contradiction", new() { Status = ConntrackStatus.SeenReply, Unreplied = true }, "kernel: nothing; here: status SeenReply and no reply seen", false },
        { "a zone", new() { Zone = [0] }, "kernel: zone 0; here: nothing", true },
        { "a zone of one direction", new() { OriginalZone = [3] }, "kernel: nothing; here: original zone 3", false },
        { "two zones", new() { Zone = [0, 3] }, "kernel: nothing; here: zone 0 or 3", false },
        { "a state", new() { State = [ConntrackState.SynSent] }, "kernel: nothing; here: state SynSent", false },
        { "source translation", new() { SourceNat = true }, "kernel: nothing; here: a translated source", false },
        { "a translated source", new() { TranslatedSourceAddress = Prefixes(V4) }, "kernel: nothing; here: source translated to 192.0.2.1", false },
        { "either translation", new() { AnyNat = true }, "kernel: nothing; here: a translated source or destination", false },
        { "either end translated", new() { TranslatedAddress = Prefixes(V4), TranslatedPort = [new(80)] }, "kernel: nothing; here: source or destination translated to 192.0.2.1 and source or destination port translated to 80", false },
        { "a helper", new() { Helper = ["ftp"] }, "kernel: nothing; here: helper ftp", false },
        { "bytes", new() { MinimumBytes = 5 }, "kernel: nothing; here: at least 5 bytes", false },
        { "a source and a state", new() { SourceAddress = Prefixes(V4), State = [ConntrackState.Close] }, "kernel: source address 192.0.2.1; here: state Close", false },
    };

    [Theory]
    [MemberData(nameof(Plans))]
    public void Each_filter_has_its_plan(string name, ConntrackFilter filter, string plan, bool allowsFlush)
    {
        FilterPlan made = FilterPlanner.Plan(filter);
        Assert.Equal((name, plan, allowsFlush), (name, made.ToString(), made.AllowsFlush));
    }

    [Fact]
    public void Addresses_of_IPv6_are_never_sent()
    {
        FilterPlan plan = FilterPlanner.Plan(new ConntrackFilter
        {
            SourceAddress = Prefixes(V6),
            DestinationAddress = Prefixes(V6),
            ReplySourceAddress = Prefixes(V6),
            ReplyDestinationAddress = Prefixes(V6),
            TranslatedSourceAddress = Prefixes(V6),
            Protocol = [IPProtocol.Tcp],
        });
        const TupleFields Addresses = TupleFields.SourceAddress | TupleFields.DestinationAddress;
        Assert.Equal(TupleFields.None, (plan.Kernel.Original.Fields | plan.Kernel.Reply.Fields) & Addresses);
        Assert.Equal(IPFamily.IPv6, plan.Kernel.Family);
    }

    [Fact]
    public void Tuple_fields_are_never_sent_without_a_family()
    {
        FilterPlan plan = FilterPlanner.Plan(new ConntrackFilter { SourceAddress = Prefixes(V4, V6), Protocol = [IPProtocol.Tcp], SourcePort = [new(1)] });
        Assert.Equal(KernelFilter.None, plan.Kernel);
    }

    [Fact]
    public void A_translated_address_narrows_what_the_kernel_sends_but_does_not_decide()
    {
        FilterPlan plan = FilterPlanner.Plan(new ConntrackFilter { TranslatedSourceAddress = Prefixes(V4) });
        Assert.Equal(TupleFields.DestinationAddress, plan.Kernel.Reply.Fields);
        Assert.False(plan.AllowsFlush);
    }

    /// <summary>The kernel has no "or": either tuple field would exclude entries that match by the other.</summary>
    [Fact]
    public void Of_an_address_that_either_end_is_translated_to_the_kernel_gets_the_family_alone()
    {
        FilterPlan plan = FilterPlanner.Plan(new ConntrackFilter { TranslatedAddress = Prefixes(V4), Protocol = [IPProtocol.Tcp], TranslatedPort = [new(80)], AnyNat = true });
        Assert.Equal((IPFamily.IPv4, TupleFields.Protocol, TupleFields.None), (plan.Kernel.Family, plan.Kernel.Original.Fields, plan.Kernel.Reply.Fields));
        Assert.Null(plan.Kernel.Status);
        Assert.False(plan.AllowsFlush);
    }

    [Theory]
    [InlineData(KernelFeatures.All & ~KernelFeatures.Family)]
    [InlineData(KernelFeatures.All & ~KernelFeatures.Mark)]
    [InlineData(KernelFeatures.All & ~KernelFeatures.Tuple)]
    [InlineData(KernelFeatures.All & ~KernelFeatures.Status)]
    [InlineData(KernelFeatures.All & ~KernelFeatures.Zone)]
    [InlineData(KernelFeatures.All & ~KernelFeatures.FilteredFlush)]
    internal void Nothing_is_deleted_by_one_request_that_the_kernel_can_only_do_in_part(KernelFeatures features)
    {
        ConntrackFilter filter = new() { SourceAddress = Prefixes(V4), Mark = [new(1)], Unreplied = true, Zone = [3], AddressFamily = IPFamily.IPv4 };
        Assert.True(FilterPlanner.Plan(filter).AllowsFlush);
        Assert.False(FilterPlanner.Plan(filter, features).AllowsFlush);
    }

    private static ConntrackFilter Of(IPProtocol protocol, PortRange port) =>
        new() { AddressFamily = IPFamily.IPv4, Protocol = [protocol], DestinationPort = [port] };

    private static AddressPrefix[] Prefixes(params string[] texts) => [.. texts.Select(AddressPrefix.Parse)];
}
