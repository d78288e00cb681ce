using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Tests.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Walk;

/// <summary>The same table by a walk, by netlink and by conntrack: IPv4 and IPv6, translations, zones, helpers, labels, counters.</summary>
public sealed class WalkTableTests(RandomTableFixture fixture, ITestOutputHelper output) : IClassFixture<RandomTableFixture>
{
    private const int Seed = 20261129;

    /// <summary>What a walk does not read, because nothing that uses walks looks at it.</summary>
    private static readonly string[] NotWalked =
    [
        nameof(ConntrackEntry.UseCount), nameof(ConntrackEntry.TimeoutSeconds),
        nameof(ConntrackEntry.OriginalTcpFlags), nameof(ConntrackEntry.ReplyTcpFlags), nameof(ConntrackEntry.OriginalWindowScale), nameof(ConntrackEntry.ReplyWindowScale),
        nameof(ConntrackEntry.SecurityContext),
        .. typeof(ConntrackEntry).GetProperties().Select(property => property.Name).Where(name =>
            name.StartsWith("Master", StringComparison.Ordinal) || name.StartsWith("Synproxy", StringComparison.Ordinal) || name.Contains("Sequence", StringComparison.Ordinal)
            || name.Contains("VerificationTag", StringComparison.Ordinal) || name.StartsWith("Dccp", StringComparison.Ordinal)),
    ];

    public static TheoryData<int> Accesses => [.. Enum.GetValues<WalkAccess>().Select(access => (int)access)];

    [WalkTheory]
    [MemberData(nameof(Accesses))]
    public void Every_value_is_what_netlink_sends(int access)
    {
        Dictionary<object, ConntrackEntry> walked = WalkList.Read(fixture.Namespace.Namespace, access: (WalkAccess)access).ToDictionary(Key);
        List<ConntrackEntry> dumped = [.. fixture.Namespace.Table.Read()];
        Assert.Equal(fixture.Created.Count, dumped.Count);
        Assert.Equal(dumped.Count, walked.Count);
        foreach (ConntrackEntry entry in dumped)
        {
            ConntrackEntry found = walked[Key(entry)];
            EntryProperties.AssertSame(entry, found, NotWalked);
            Assert.InRange(found.TimeoutSeconds!.Value, entry.TimeoutSeconds!.Value, entry.TimeoutSeconds.Value + 60);
        }
    }

    [WalkFact]
    public void Every_value_is_what_conntrack_shows() => FlowComparison.AssertSame(
        WalkList.Read(fixture.Namespace.Namespace).Select(FlowView.Of),
        ConntrackTool.ListXml(fixture.Namespace).Select(flow => flow with { Use = null }),
        FlowView.AsXml,
        FlowComparison.ById);

    /// <summary>The program leaves out what does not match, and nothing that does.</summary>
    [WalkTheory]
    [MemberData(nameof(Accesses))]
    public void The_walk_and_a_full_check_agree_on_random_filters(int access)
    {
        int count = Exhaustive.Rounds(access == 0 ? 150 : 40, 3000);
        output.WriteLine($"seed {Seed}");
        List<ConntrackEntry> all = [.. fixture.Namespace.Table.Read()];
        RandomFilters filters = new(new Random(Seed + access), all);
        int matching = 0;
        for (int i = 0; i < count; i++)
        {
            ConntrackFilter filter = Extend(filters.Next(), i);
            HashSet<uint?> expected = [.. all.Where(filter.Matches).Select(entry => entry.Id)];
            HashSet<uint?> actual = [.. WalkList.Read(fixture.Namespace.Namespace, filter, (WalkAccess)access, EntryParts.Id).Select(entry => entry.Id)];
            Assert.True(expected.SetEquals(actual), $"{filter}: {expected.Count} expected, {actual.Count} walked");
            matching += expected.Count;
        }

        Assert.True(matching > count, $"only {matching} matches");
    }

    /// <summary>A walk finds them, and netlink fetches them whole.</summary>
    [WalkFact]
    public void Candidates_become_the_same_entries_as_those_of_a_dump()
    {
        List<ConntrackEntry> all = [.. fixture.Namespace.Table.Read()];
        RandomFilters filters = new(new Random(Seed), all);
        ConntrackTable walked = new(fixture.Namespace.Namespace) { Engine = TableEngine.Bpf };
        int fetched = 0;
        for (int i = 0; i < Exhaustive.Rounds(60, 1000); i++)
        {
            ConntrackFilter filter = filters.Next();
            Dictionary<object, ConntrackEntry> expected = all.Where(filter.Matches).ToDictionary(Key);
            List<ConntrackEntry> actual = [.. walked.Read(filter)];
            Assert.True(expected.Count == actual.Count, $"{filter}: {expected.Count} expected, {actual.Count} read; {walked.EngineNote}");
            foreach (ConntrackEntry entry in actual)
                EntryProperties.AssertSame(expected[Key(entry)], entry, [nameof(ConntrackEntry.UseCount), nameof(ConntrackEntry.TimeoutSeconds)]);
            fetched += walked.EngineNote!.Contains("walk in the kernel found", StringComparison.Ordinal) ? actual.Count : 0;
        }

        Assert.True(fetched > 60, $"only {fetched} entries were fetched");
    }

    [WalkFact]
    public void A_network_namespace_has_only_its_own_entries()
    {
        using NetworkNamespaceFixture other = new(), empty = new();
        TableFiller.Fill(other, 300);
        Assert.Equal(300, WalkList.Read(other.Namespace).Count);
        Assert.Equal(fixture.Created.Count, WalkList.Read(fixture.Namespace.Namespace).Count);
        Assert.Empty(WalkList.Read(empty.Namespace));
    }

    [WalkFact]
    public void One_walk_counts_several_network_namespaces()
    {
        using NetworkNamespaceFixture other = new(), empty = new();
        TableFiller.Fill(other, 300);
        GroupOptions options = new() { GroupBy = [GroupProperties.Named("Protocol")] };
        List<string> told = [];
        IReadOnlyList<GroupMeasurement>? counted = GroupMeasurement.TryReadTogether(
            TableEngine.Bpf, [other.Namespace, empty.Namespace, fixture.Namespace.Namespace], options, new ConntrackFilter(), told.Add, default);
        Assert.Equal([300, 0, fixture.Created.Count], counted?.Select(measurement => (int)measurement.Count));
        Assert.Equal(
            ConntrackTool.ListXml(fixture.Namespace).GroupBy(flow => flow.Protocol).Select(group => ((int)group.Key, (long)group.Count())).Order(),
            counted![2].Groups().Select(group => ((int)(IPProtocol)group.GetValues()[0].Value!, (long)group.Count)).Order());
        Assert.Equal(["The tables are walked in the kernel, all at once."], told);
        Assert.Null(GroupMeasurement.TryReadTogether(TableEngine.Auto, [other.Namespace, empty.Namespace], options, new ConntrackFilter(), told.Add, default));
    }

    /// <summary>So long a list is checked outside of the program.</summary>
    [WalkFact]
    public void A_list_of_thousands_of_addresses_gives_the_same()
    {
        List<ConntrackEntry> all = [.. fixture.Namespace.Table.Read()];
        ConntrackFilter filter = new()
        {
            SourceAddress = [.. Enumerable.Range(0, 5000).Select(i => AddressPrefix.Parse($"203.0.{i / 250}.{i % 250}")), .. all.Take(50).Select(entry => AddressPrefix.Parse(entry.SourceAddress!))],
        };
        Assert.Equal(all.Count(filter.Matches), WalkList.Read(fixture.Namespace.Namespace, filter).Count);
    }

    private static object Key(ConntrackEntry entry) => (entry.Original, entry.Reply, entry.Zone, entry.OriginalZone, entry.ReplyZone);

    /// <summary>Conditions that only a walk can check in the kernel.</summary>
    private static ConntrackFilter Extend(ConntrackFilter filter, int number) => (number % 8) switch
    {
        0 => filter with { TimeoutAbove = 300 },
        1 => filter with { TimeoutBelow = 100_000 },
        2 => filter with { MinimumBytes = 0 },
        3 => filter with { OlderThan = TimeSpan.Zero },
        4 => filter with { Label = [0, 5, 77] },
        5 => new ConntrackFilter { MinimumPackets = 0, Protocol = filter.Protocol },
        6 => filter with { Exclude = [.. filter.Exclude, new ConntrackFilter { Label = [5], OriginalZone = filter.OriginalZone }] },
        _ => filter,
    };
}
