using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Filters with exclusions.</summary>
public class ExclusionTests
{
    private static readonly ConntrackEntry Web = Entries.Tcp("192.0.2.1", 4001, "198.51.100.7", 80);
    private static readonly ConntrackEntry Shell = Entries.Tcp("192.0.2.9", 4002, "198.51.100.7", 22);

    [Fact]
    public void What_is_excluded_does_not_match_and_all_else_does()
    {
        ConntrackFilter filter = new() { Exclude = [Source("192.0.2.8/29")] };
        Assert.True(filter.Matches(Web));
        Assert.False(filter.Matches(Shell));
        Assert.Equal("entries with not source address 192.0.2.8/29", filter.ToString());
    }

    [Fact]
    public void Each_of_several_filters_excludes_by_itself()
    {
        ConntrackFilter filter = new() { Exclude = [Source("192.0.2.9"), new ConntrackFilter { DestinationPort = [new PortRange(80)] }] };
        Assert.False(filter.Matches(Web));
        Assert.False(filter.Matches(Shell));
        Assert.True(filter.Matches(Entries.Tcp("192.0.2.1", 4001, "198.51.100.7", 443)));
    }

    /// <summary>Only named entries may be deleted.</summary>
    [Fact]
    public void An_exclusion_alone_names_nothing()
    {
        ConntrackFilter filter = new() { Exclude = [Source("192.0.2.9")] };
        Assert.False(filter.NamesEntries);
        Assert.Throws<ArgumentException>(() => BlockTarget.Of(filter));
        Assert.True((filter with { Protocol = [IPProtocol.Tcp] }).NamesEntries);
    }

    [Fact]
    public void The_kernel_is_never_asked_to_exclude_and_so_never_deletes_by_such_a_filter_alone()
    {
        ConntrackFilter named = new() { AddressFamily = IPFamily.IPv4, Protocol = [IPProtocol.Tcp] };
        Assert.True(FilterPlanner.Plan(named).AllowsFlush);
        FilterPlan plan = FilterPlanner.Plan(named with { Exclude = [Source("192.0.2.9")] });
        Assert.False(plan.AllowsFlush);
        Assert.Equal(FilterPlanner.Plan(named).Kernel, plan.Kernel);
        Assert.Contains("here: not source address 192.0.2.9", plan.ToString(), StringComparison.Ordinal);
    }

    /// <summary>A rule without the exclusion would drop the excluded traffic.</summary>
    [Fact]
    public void A_block_with_an_exclusion_is_of_existing_flows_alone() =>
        Assert.False(BlockTarget.Of(new ConntrackFilter { Protocol = [IPProtocol.Tcp], Exclude = [Source("192.0.2.9")] }).CoversNewFlows);

    /// <summary>A condition whose result may change during the lifetime of an entry is not compared over time, and neither is such an
    /// exclusion.</summary>
    [Fact]
    public void The_steady_part_keeps_steady_exclusions_alone()
    {
        ConntrackFilter changing = new() { State = [ConntrackState.TimeWait] }, steady = Source("192.0.2.9");
        ConntrackFilter filter = new() { Protocol = [IPProtocol.Tcp], Exclude = [changing, steady] };
        Assert.False(filter.IsSteady);
        Assert.Same(steady, Assert.Single(filter.SteadyPart().Exclude));
        Assert.True(new ConntrackFilter { Exclude = [steady] }.IsSteady);
    }

    [Fact]
    public void An_empty_filter_can_not_be_excluded() =>
        Assert.Throws<ArgumentException>(() => new ConntrackFilter { Exclude = [new ConntrackFilter()] }.Matches(Web));

    [Theory]
    [InlineData("192.0.2.9", "192.0.2.8/29", true)]
    [InlineData("192.0.2.8/29", "192.0.2.8/29", true)]
    [InlineData("192.0.2.0/24", "192.0.2.8/29", false)]
    public void What_is_asked_for_and_excluded_again_is_a_contradiction(string asked, string excluded, bool isContradiction)
    {
        FilterContradiction? found = (Source(asked) with { Exclude = [Source(excluded)] }).Contradiction;
        Assert.Equal(isContradiction ? ["SourceAddress", "ExcludeSourceAddress"] : null, found?.Properties);
    }

    private static ConntrackFilter Source(string prefix) => new() { SourceAddress = [AddressPrefix.Parse(prefix)] };
}
