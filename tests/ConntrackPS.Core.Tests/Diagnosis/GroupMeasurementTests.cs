using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Tests.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

/// <summary>Groups of a table with all kinds of entries, compared with counts from conntrack(8).</summary>
public sealed class GroupMeasurementTests(RandomTableFixture random) : IClassFixture<RandomTableFixture>
{
    private static readonly Dictionary<string, Func<FlowRecord, object?>> Shown = new()
    {
        ["SourceAddress"] = flow => flow.Original.Source,
        ["DestinationAddress"] = flow => flow.Original.Destination,
        ["ReplySourceAddress"] = flow => flow.Reply.Source,
        ["ReplyDestinationAddress"] = flow => flow.Reply.Destination,
        ["SourcePort"] = flow => Port(flow, flow.Original.SourcePort),
        ["DestinationPort"] = flow => Port(flow, flow.Original.DestinationPort),
        ["ReplySourcePort"] = flow => Port(flow, flow.Reply.SourcePort),
        ["ReplyDestinationPort"] = flow => Port(flow, flow.Reply.DestinationPort),
        ["Protocol"] = flow => (IPProtocol)flow.Protocol,
        ["AddressFamily"] = flow => (IPFamily)flow.Family,
        ["Zone"] = flow => flow.Original.Zone ?? flow.Reply.Zone ?? flow.Zone,
        ["Mark"] = flow => flow.Mark ?? 0,
        ["Helper"] = flow => flow.Helper,
        ["GreSourceKey"] = flow => flow.Original.SourceKey,
        ["GreDestinationKey"] = flow => flow.Original.DestinationKey,
    };

    public static TheoryData<string> ShownProperties => [.. Shown.Keys];

    [Theory]
    [MemberData(nameof(ShownProperties))]
    public void Counts_are_those_of_conntrack(string property)
    {
        Dictionary<string, int> expected = ConntrackTool.ListXml(random.Namespace)
            .GroupBy(flow => Text(Shown[property](flow)))
            .ToDictionary(group => group.Key, group => group.Count());
        Dictionary<string, long> actual = Measure(property).ToDictionary(group => Text(group.GetValues()[0].Value), group => group.Count);
        Assert.Equal(expected.OrderBy(pair => pair.Key).Select(pair => (pair.Key, (long)pair.Value)), actual.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value)));
    }

    [Fact]
    public void Several_properties_make_a_group_of_each_combination()
    {
        var expected = ConntrackTool.ListXml(random.Namespace)
            .GroupBy(flow => (Family: (IPFamily)flow.Family, Protocol: (IPProtocol)flow.Protocol, Port: Port(flow, flow.Original.DestinationPort)))
            .Select(group => (group.Key.Family, group.Key.Protocol, group.Key.Port, (long)group.Count()));
        var actual = Measure("AddressFamily", "Protocol", "DestinationPort").Select(group => (
            (IPFamily)group.GetValues()[0].Value!, (IPProtocol)group.GetValues()[1].Value!, (ushort?)group.GetValues()[2].Value, group.Count));
        Assert.Equal(expected.Order(), actual.Order());
    }

    [Fact]
    public void Prefixes_make_one_group_of_many_addresses()
    {
        GroupOptions options = new() { GroupBy = [GroupProperties.Named("SourceAddress")], Prefix = 8, PrefixIPv6 = 20 };
        Dictionary<string, long> expected = ConntrackTool.ListXml(random.Namespace)
            .GroupBy(flow => AddressPrefix.Parse($"{flow.Original.Source}/{(flow.Family == (int)IPFamily.IPv6 ? 20 : 8)}").ToString())
            .ToDictionary(group => group.Key, group => (long)group.Count());
        Assert.Equal(expected.OrderBy(pair => pair.Key), Measure(options).ToDictionary(group => group.Name, group => group.Count).OrderBy(pair => pair.Key));
    }

    [Fact]
    public void Sums_are_those_of_conntrack()
    {
        foreach (ConntrackGroup group in Measure("Protocol"))
        {
            FlowRecord[] flows = [.. ConntrackTool.ListXml(random.Namespace).Where(flow => flow.Protocol == (int)(IPProtocol)group.GetValues()[0].Value!)];
            Assert.Equal(
                (flows.Length, flows.Count(flow => flow.IsAssured), flows.Count(flow => flow.IsUnreplied)),
                (group.Count, group.Assured, group.Unreplied));
            Assert.Equal(Math.Round(100.0 * flows.Length / random.Created.Count, 2), group.Percent);
            Assert.Equal(group.Count, States(group).Sum() + group.OtherState + group.Stateless);
            if (group.Name == nameof(IPProtocol.Tcp))
                Assert.Equal(KernelStates.Select(state => (long)flows.Count(flow => flow.State == state)), States(group));
        }
    }

    [Fact]
    public void A_filter_leaves_out_what_it_leaves_out_elsewhere()
    {
        ConntrackFilter filter = new() { Protocol = [IPProtocol.Tcp], SourceAddress = [AddressPrefix.Parse("::/0")] };
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named("State")] });
        measurement.Read(random.Namespace.Table, filter);
        Assert.Equal(random.Namespace.Table.Read(filter).Count(), measurement.Count);
        Assert.NotEqual(0, measurement.Count);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(5, false)]
    [InlineData(5, true)]
    [InlineData(100000, true)]
    public void Groups_come_in_the_order_that_is_asked_for(int? top, bool ascending)
    {
        GroupOptions options = new() { GroupBy = [GroupProperties.Named("DestinationPort")], SortBy = GroupOrder.Unreplied, Ascending = ascending, Top = top };
        List<ConntrackGroup> groups = [.. Measure(options)];
        long[] all = [.. Measure("DestinationPort").Select(group => group.Unreplied)];
        long[] expected = [.. (ascending ? all.Order() : all.OrderDescending()).Take(top ?? int.MaxValue)];
        Assert.Equal(expected, groups.Select(group => group.Unreplied));
    }

    [Fact]
    public void Objects_are_counted_as_the_table_is()
    {
        foreach (GroupProperty property in GroupProperties.All)
        {
            GroupOptions options = new() { GroupBy = [property] };
            GroupMeasurement single = new(options);
            foreach (ConntrackEntry entry in random.Namespace.Table.Read())
                single.Add(entry);
            Assert.Equal(Describe(Measure(options)), Describe(single.Groups()));
            Assert.All(single.Groups(), group => Assert.Null(group.ToFilter()));
        }
    }

    [Fact]
    public void Without_a_property_there_is_nothing_to_group_by() =>
        Assert.Throws<ArgumentException>(() => new GroupMeasurement(new GroupOptions { GroupBy = [] }));

    [Fact]
    public void Stopping_ends_the_reading()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        GroupMeasurement measurement = new(new GroupOptions());
        Assert.Throws<OperationCanceledException>(() => measurement.Read(random.Namespace.Table, stop: stop.Token));
    }

    private static readonly string[] KernelStates =
        ["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"];

    /// <summary>conntrack shows 0 for DCCP, for which kernels since 6.x have no ports.</summary>
    private static ushort? Port(FlowRecord flow, ushort? shown) => flow.Protocol == (int)IPProtocol.Dccp && shown == 0 ? null : shown;

    private static long[] States(ConntrackGroup group) =>
        [group.SynSent, group.SynRecv, group.Established, group.FinWait, group.CloseWait, group.LastAck, group.TimeWait, group.Close, group.SynSent2];

    private static IEnumerable<string> Describe(IEnumerable<ConntrackGroup> groups) =>
        groups.Select(group => $"{group} {group.Percent} {group.TotalBytes} {group.Assured} {group.Unreplied} {group.Oldest:O} {group.Newest:O}").Order();

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    private IEnumerable<ConntrackGroup> Measure(params string[] properties) =>
        Measure(new GroupOptions { GroupBy = [.. properties.Select(GroupProperties.Named)] });

    private IEnumerable<ConntrackGroup> Measure(GroupOptions options)
    {
        GroupMeasurement measurement = new(options);
        measurement.Read(random.Namespace.Table);
        return measurement.Groups();
    }
}
