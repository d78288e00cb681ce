using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Control;

namespace ConntrackPS.Tests.Top;

public sealed class TopFilterTests
{
    private static readonly ConntrackEntry Web = Entries.Tcp("192.0.2.1", 1024, "198.51.100.7", 443);
    private static readonly ConntrackEntry Dns = Entries.Udp("192.0.2.1", 1024, "198.51.100.53", 53);
    private static readonly ConntrackEntry Local4 = Entries.Tcp("127.0.0.1", 1024, "127.0.0.2", 80);
    private static readonly ConntrackEntry Local6 = Entries.Tcp("::1", 1024, "::1", 80);
    private static readonly ConntrackEntry[] All = [Web, Dns, Local4, Local6];

    [Fact]
    public void Without_anything_all_are_shown() => AssertShown(new TopFilter(), All);

    [Fact]
    public void The_loopback_and_name_queries_are_left_out()
    {
        AssertShown(new TopFilter { SkipsLoopback = true }, Web, Dns);
        AssertShown(new TopFilter { SkipsDns = true }, Web, Local4, Local6);
    }

    [Fact]
    public void What_was_asked_for_can_be_turned_round()
    {
        TopFilter tcp = new() { Asked = new ConntrackFilter { Protocol = [IPProtocol.Tcp] } };
        AssertShown(tcp, Web, Local4, Local6);
        AssertShown(tcp with { IsInverted = true }, Dns);
        AssertShown(tcp with { SkipsLoopback = true }, Web);
        AssertShown(new TopFilter { IsInverted = true }, All);
    }

    [Fact]
    public void The_same_filter_is_the_same_object_and_another_one_is_another()
    {
        TopFilter filter = new() { SkipsDns = true };
        Assert.Same(filter.Combined, filter.Combined);
        Assert.NotSame(filter.Combined, (filter with { SkipsDns = false }).Combined);
    }

    [Fact]
    public void A_deletion_by_a_filter_that_was_turned_round_is_left_to_the_safe_way()
    {
        TopFilter notTcp = new() { Asked = new ConntrackFilter { Protocol = [IPProtocol.Tcp] }, IsInverted = true };
        Assert.False(FilterPlanner.Plan(notTcp.Combined).AllowsFlush);
    }

    private static void AssertShown(TopFilter filter, params ConntrackEntry[] expected) =>
        Assert.Equal(expected, All.Where(filter.Combined.Matches));
}
