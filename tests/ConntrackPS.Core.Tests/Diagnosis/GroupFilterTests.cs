using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Tests.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Diagnosis;

/// <summary>The filter of a group matches all entries of the group, and no others.</summary>
public sealed class GroupFilterTests(RandomTableFixture random, ITestOutputHelper output) : IClassFixture<RandomTableFixture>
{
    private const int Seed = 20261122;

    /// <summary>All entries of a table have the same value.</summary>
    private static readonly string[] Trivial = ["EventType", "Namespace"];

    public static TheoryData<string> Properties => [.. GroupProperties.All.Select(property => property.Name)];

    [Theory]
    [MemberData(nameof(Properties))]
    public void The_filters_of_all_groups_share_the_table_out(string property)
    {
        List<ConntrackEntry> entries = [.. random.Namespace.Table.Read()];
        List<ConntrackGroup> groups = Measure(new GroupOptions { GroupBy = [GroupProperties.Named(property)], Prefix = 16, PrefixIPv6 = 40 });
        AssertSharedOut(entries, groups);
        Assert.All(groups, group => Assert.Equal(!Trivial.Contains(property), group.ToFilter()!.NamesEntries));
    }

    [Fact]
    public void Under_a_filter_a_group_means_no_more_than_was_counted()
    {
        output.WriteLine($"seed {Seed}");
        Random dice = new(Seed);
        List<ConntrackEntry> entries = [.. random.Namespace.Table.Read()];
        for (int round = 0, rounds = Exhaustive.Rounds(40, 300); round < rounds; round++)
        {
            ConntrackFilter filter = new RandomFilters(dice, entries).Next();
            GroupProperty[] properties = [.. Enumerable.Range(0, dice.Next(1, 4)).Select(_ => GroupProperties.All[dice.Next(GroupProperties.All.Count)]).Distinct()];
            GroupOptions options = new() { GroupBy = properties, Prefix = dice.Next(33), PrefixIPv6 = dice.Next(129) };
            AssertSharedOut([.. entries.Where(filter.Matches)], Measure(options, filter), entries);
        }
    }

    [Fact]
    public void Prefixes_of_no_length_name_nothing() =>
        Assert.All(
            Measure(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")], Prefix = 0, PrefixIPv6 = 0 }),
            group => Assert.False(group.ToFilter()!.NamesEntries));

    [Theory]
    [InlineData("SourceAddress")]
    [InlineData("Status")]
    [InlineData("TranslatedSourceAddress")]
    [InlineData("State")]
    [InlineData("Helper")]
    public void Deleting_a_group_deletes_its_entries_and_leaves_all_others(string property)
    {
        using NetworkNamespaceFixture ns = new();
        TableFiller.Create(ns, new RandomTable(Seed, [], withLabels: false).Make(80));
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named(property)] });
        ConntrackFilter notUdp = new() { Protocol = [IPProtocol.Tcp, IPProtocol.Sctp, IPProtocol.Icmp, IPProtocol.Gre] };
        measurement.Read(ns.Table, notUdp);
        foreach (ConntrackGroup group in measurement.Groups())
        {
            ConntrackFilter filter = group.ToFilter()!;
            string[] expected = [.. ns.Table.Read().Where(entry => !filter.Matches(entry)).Select(entry => entry.ToString()).Order()];
            DeleteSummary summary = ns.Table.Delete(filter, result => Assert.Fail($"{result.Failure}"));
            Assert.Equal(group.Count, summary.Deleted + summary.AlreadyGone);
            Assert.Equal(expected, ns.Table.Read().Select(entry => entry.ToString()).Order());
            Assert.Equal(expected.Length, ConntrackTool.ListXml(ns).Count);
        }

        Assert.DoesNotContain(ns.Table.Read(), notUdp.Matches);
    }

    [Fact]
    public void The_kernel_gets_its_share_of_a_groups_filter()
    {
        ConntrackGroup group = Measure(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")] })
            .First(group => !group.Name.Contains(':', StringComparison.Ordinal));
        Assert.True(FilterPlanner.Plan(group.ToFilter()!).AllowsFlush);
    }

    /// <summary>Each entry is in one group, and only the filter of that group matches it.</summary>
    private static void AssertSharedOut(List<ConntrackEntry> entries, List<ConntrackGroup> groups, List<ConntrackEntry>? all = null)
    {
        ConntrackFilter[] filters = [.. groups.Select(group => group.ToFilter()!)];
        HashSet<ConntrackEntry> counted = [.. entries];
        int[] sizes = new int[filters.Length];
        foreach (ConntrackEntry entry in all ?? entries)
        {
            int[] means = [.. Enumerable.Range(0, filters.Length).Where(i => filters[i].Matches(entry))];
            Assert.Equal(counted.Contains(entry) ? 1 : 0, means.Length);
            foreach (int i in means)
                sizes[i]++;
        }

        Assert.Equal(groups.Select(group => group.Count), sizes.Select(size => (long)size));
    }

    private List<ConntrackGroup> Measure(GroupOptions options, ConntrackFilter? filter = null)
    {
        GroupMeasurement measurement = new(options);
        measurement.Read(random.Namespace.Table, filter);
        return [.. measurement.Groups()];
    }
}
