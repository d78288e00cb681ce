using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Events;

/// <summary>Filters on properties that change during the lifetime of an entry, with comparisons of tables and events over time. An entry
/// that no longer matches has not ended, and one that starts to match is not new. conntrack(8) changes and shows the entries.</summary>
public sealed class UnsteadyFilterTests : IDisposable
{
    private const string Turning = "192.0.2.1", Ending = "192.0.2.2", Coming = "192.0.2.3";

    private static readonly ConntrackFilter Established = new() { State = [ConntrackState.Established] };

    private readonly NetworkNamespaceFixture _ns = new();

    public UnsteadyFilterTests()
    {
        _ns.SetConntrackSetting("nf_conntrack_events", 1);
        _ns.SetConntrackSetting("nf_conntrack_acct", 1);
    }

    public void Dispose() => _ns.Dispose();

    /// <summary>A change was received, and then events were lost: the table is compared with all entries.</summary>
    [Fact]
    public void After_a_loss_no_end_is_invented_for_what_ceased_to_match()
    {
        Create(Turning, ConntrackState.Established);
        Create(Ending, ConntrackState.Established);
        using EventStream stream = new(
            new EventOptions { Filter = Established, ReceiveBufferSize = 4096, BacklogSize = 65536, IncludeExisting = true, Resync = true }, _ns.Namespace);
        List<ConntrackEvent> told = [];
        Assert.True(Wait.Until(() => Take(stream, told).Count(happened => happened.EventType == ConntrackEventType.Existing) == 2));
        Change(Turning, "--state", "TIME_WAIT");
        Overflow(stream, told);
        End(Ending);
        Overflow(stream, told);
        Assert.True(Wait.Until(() => Take(stream, told).Exists(happened => happened.EventType == ConntrackEventType.Destroy && happened.SourceAddress == Ending)));
        Assert.DoesNotContain(told, happened => happened.EventType == ConntrackEventType.Destroy && happened.SourceAddress == Turning);
        Assert.Contains("TIME_WAIT", _ns.Exec("conntrack", "-L", "-s", Turning), StringComparison.Ordinal);
        Assert.All(told.Where(happened => happened.LostCount is null), happened => Assert.Equal(ConntrackState.Established, happened.State));
    }

    /// <summary>The table showed an entry whose New event may still come. It stops matching and ends, and another one takes its
    /// key.</summary>
    [Fact]
    public void Beside_the_present_table_a_successor_of_what_ceased_to_match_is_told()
    {
        Create(Turning, ConntrackState.Established);
        using EventStream stream = new(new EventOptions { Filter = Established, IncludeExisting = true, EventType = [ConntrackEventType.New] }, _ns.Namespace);
        List<ConntrackEvent> told = [];
        Assert.True(Wait.Until(() => Take(stream, told).Count == 1));
        for (int round = 0; round < 20; round++)
        {
            Change(Turning, "--state", "TIME_WAIT");
            End(Turning);
            Create(Turning, ConntrackState.Established);
        }

        Assert.True(Wait.Until(() => Take(stream, told).Count == 21), $"{told.Count - 1} of 20 beginnings were told");
    }

    /// <summary>In the second pass, one entry no longer matches, one has started to match, one has ended, and one is new.</summary>
    [Fact]
    public void Rates_of_groups_take_no_change_for_an_end_or_a_beginning()
    {
        Create(Turning, ConntrackState.Established);
        Create(Ending, ConntrackState.Established);
        Create(Coming, ConntrackState.SynSent);
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named("Protocol")] });
        Thread changing = new(() =>
        {
            Thread.Sleep(1000);
            Change(Turning, "--state", "TIME_WAIT");
            Change(Coming, "--state", "ESTABLISHED");
            End(Ending);
            Create("192.0.2.4", ConntrackState.Established);
        });
        changing.Start();
        measurement.ReadTwice(_ns.Table, TimeSpan.FromSeconds(4), Established);
        Assert.True(Wait.For(changing));
        ConntrackGroup group = Assert.Single(measurement.Groups());

        // One each in about four seconds.
        Assert.Equal(2, group.Count);
        Assert.InRange(group.NewPerSecond!.Value, 0.15, 0.25);
        Assert.InRange(group.ClosedPerSecond!.Value, 0.15, 0.25);
    }

    /// <summary>Traffic is known from the moment at which an entry starts to match.</summary>
    [Fact]
    public void The_live_view_knows_what_an_entry_moved_that_comes_to_match()
    {
        _ns.TrackPackets();
        _ns.Exec("ping", "-q", "-c3", "-i0.01", "127.0.0.1");
        ConntrackFilter marked = new() { Mark = [MaskedMark.Parse("7")], Protocol = [IPProtocol.Icmp] };
        SnapshotReader reader = new(_ns.Table);
        Assert.Equal(0, reader.Read(marked, null, default).Entries.Count);
        MarkAll();
        TopSnapshot second = reader.Read(marked, null, default);
        Assert.Equal((1, 0UL), (second.Entries.Count, second.Totals.MovedPackets));

        // For a new entry, the total traffic counts.
        _ns.Exec("ping", "-q", "-c2", "-i0.01", "127.0.0.2");
        MarkAll();
        TopSnapshot third = reader.Read(marked, null, default);
        Assert.Equal((2, 4UL), (third.Entries.Count, third.Totals.MovedPackets));
    }

    [Fact]
    public void The_steady_part_of_a_filter_leaves_out_all_that_changes()
    {
        ConntrackFilter filter = new()
        {
            SourceAddress = [AddressPrefix.Parse("192.0.2.0/24")],
            Zone = [5],
            SourceNat = true,
            State = [ConntrackState.Established],
            Status = ConntrackStatus.Assured,
            ExcludeStatus = ConntrackStatus.Offload,
            Unreplied = true,
            Mark = [MaskedMark.Parse("7")],
            Label = [1],
            Helper = ["ftp"],
            SecurityContext = ["system_u"],
            MinimumBytes = 1,
            MinimumPackets = 1,
            TimeoutBelow = 1,
            TimeoutAbove = 1,
            OlderThan = TimeSpan.FromSeconds(1),
        };
        ConntrackFilter steady = filter.SteadyPart(), told = filter.WithoutAmounts();
        Assert.True(steady.IsSteady);
        Assert.Equal(["Zone", "SourceAddress", "SourceNat"], steady.Terms.Select(term => term.Property).OrderByDescending(name => name == "Zone").ThenBy(name => name));
        Assert.Equal(filter.Terms.Length - 5, told.Terms.Length);
        Assert.Same(steady, steady.SteadyPart());
    }

    private void Create(string source, ConntrackState state) => TableFiller.Create(_ns, Entries.Tcp(source, 4000, "198.51.100.7", 80).WithState(state));

    private void Change(string source, params string[] change) => _ns.Exec("conntrack", ["-U", "-p", "tcp", "-s", source, .. change]);

    /// <summary>Through the library: conntrack -U fails if both directions have the same addresses.</summary>
    private void MarkAll()
    {
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        foreach (ConntrackEntry entry in _ns.Table.Read())
            updater.Add(EntryKey.Of(entry), new EntryChange { Mark = new MaskedMark(7) }, entry);
        updater.Flush();
    }

    private void End(string source) => _ns.Exec("conntrack", "-D", "-p", "tcp", "-s", source);

    /// <summary>Floods the buffer without taking events, until a loss and its recovery have been reported.</summary>
    private void Overflow(EventStream stream, List<ConntrackEvent> told)
    {
        int before = told.Count(happened => happened.LostCount is not null);
        TableFiller.Create(_ns, Enumerable.Range(before * 3000, 3000).Select(i => Entries.Udp("192.0.2.99", 1 + i, "198.51.100.7", 53)));
        Assert.True(Wait.Until(() => Take(stream, told).Count(happened => happened.LostCount is not null) > before), "nothing was lost");
        for (int quiet = 0; quiet < 10;)
            quiet = stream.Take(TimeSpan.FromMilliseconds(50)) is { Count: > 0 } more ? Add(told, more) : quiet + 1;

        static int Add(List<ConntrackEvent> told, IReadOnlyList<ConntrackEvent> more)
        {
            told.AddRange(more);
            return 0;
        }
    }

    private static List<ConntrackEvent> Take(EventStream stream, List<ConntrackEvent> told)
    {
        told.AddRange(stream.Take(TimeSpan.FromMilliseconds(20)));
        return told;
    }
}
