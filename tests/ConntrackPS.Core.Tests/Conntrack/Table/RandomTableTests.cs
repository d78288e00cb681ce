using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>The same table, read by this library and by other tools.</summary>
public sealed class RandomTableTests : IClassFixture<RandomTableFixture>
{
    private readonly RandomTableFixture _fixture;

    public RandomTableTests(RandomTableFixture fixture, ITestOutputHelper output)
    {
        _fixture = fixture;
        output.WriteLine($"Seed {RandomTable.DefaultSeed}, helpers {string.Join(", ", fixture.HelperList)}");
    }

    public enum Way
    {
        Read,
        Open,
    }

    [Theory]
    [InlineData(Way.Read)]
    [InlineData(Way.Open)]
    public void Every_field_is_what_conntrack_shows_as_xml(Way way) =>
        FlowComparison.AssertSame(Flows(way), ConntrackTool.ListXml(_fixture.Namespace), FlowView.AsXml, FlowComparison.ById);

    [Theory]
    [InlineData(Way.Read)]
    [InlineData(Way.Open)]
    public void Every_field_is_what_conntrack_shows_as_text(Way way) =>
        FlowComparison.AssertSame(Flows(way), ConntrackTool.ListText(_fixture.Namespace), FlowView.AsText, FlowComparison.ById);

    [Theory]
    [InlineData(Way.Read)]
    [InlineData(Way.Open)]
    public void Every_field_is_what_proc_shows(Way way) =>
        FlowComparison.AssertSame(Flows(way), ProcTable.List(_fixture.Namespace), FlowView.AsProc, FlowComparison.ByTuple);

    /// <summary>No tool shows TCP flags, window scales, verification tags, sequence adjustment, SYNPROXY and masters.</summary>
    [Theory]
    [InlineData(Way.Read)]
    [InlineData(Way.Open)]
    public void Every_property_is_what_was_created(Way way)
    {
        Dictionary<object, ConntrackEntry> read = Entries(way).ToDictionary(Key);
        Assert.Equal(_fixture.Created.Count, read.Count);
        foreach (ConntrackEntry created in _fixture.Created)
        {
            ConntrackEntry entry = read[Key(created)];
            EntryProperties.AssertSame(KernelRules.Apply(created), entry, GivenByTheKernel);
            Assert.InRange(entry.TimeoutSeconds!.Value, created.Data.Timeout - 300, created.Data.Timeout);
        }
    }

    [Fact]
    public void Entries_know_their_namespace() =>
        Assert.All(Entries(Way.Read), entry => Assert.Equal(_fixture.Namespace.Name, entry.Namespace));

    private static readonly string[] GivenByTheKernel =
    [
        nameof(ConntrackEntry.Id), nameof(ConntrackEntry.UseCount), nameof(ConntrackEntry.Namespace),
        nameof(ConntrackEntry.TimeoutSeconds), nameof(ConntrackEntry.StartTime), nameof(ConntrackEntry.StartTimestamp),
        nameof(ConntrackEntry.TotalPackets), nameof(ConntrackEntry.TotalBytes),
        nameof(ConntrackEntry.OriginalBytes), nameof(ConntrackEntry.OriginalPackets),
        nameof(ConntrackEntry.ReplyBytes), nameof(ConntrackEntry.ReplyPackets),
    ];

    private static object Key(ConntrackEntry entry) => (entry.Original, entry.Zone, entry.OriginalZone, entry.ReplyZone);

    private IEnumerable<FlowRecord> Flows(Way way) => Entries(way).Select(FlowView.Of);

    private List<ConntrackEntry> Entries(Way way)
    {
        if (way == Way.Read)
            return [.. _fixture.Namespace.Table.Read()];
        using EntryStream stream = _fixture.Namespace.Table.Open();
        return [.. stream.Batches().SelectMany(batch => batch)];
    }
}
