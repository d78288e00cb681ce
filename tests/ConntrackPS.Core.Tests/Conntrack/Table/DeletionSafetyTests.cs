using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>The entries after a deletion are exactly those that the filter does not match. Verified with conntrack(8) for both deletion
/// methods, with random tables and filters.</summary>
public sealed class DeletionSafetyTests(ITestOutputHelper output) : IDisposable
{
    private const int Seed = 20261121;
    private const int TableSize = 60;

    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Theory]
    [InlineData((int)KernelFeatures.All)]
    [InlineData((int)(KernelFeatures.All & ~KernelFeatures.FilteredFlush))]
    [InlineData((int)KernelFeatures.None)]
    public void Exactly_what_does_not_match_remains(int features)
    {
        output.WriteLine($"seed {Seed}");
        Random random = new(Seed);
        ConntrackTable table = new(_ns.Namespace, (KernelFeatures)features);
        int rounds = Exhaustive.Rounds(20, 300);
        int deleted = 0, flushes = 0;
        for (int round = 0; round < rounds; round++)
        {
            _ns.Table.Clear();
            TableFiller.Create(_ns, new RandomTable(random.Next(), [], withLabels: false).Make(TableSize));
            List<ConntrackEntry> before = [.. _ns.Table.Read()];
            RandomFilters filters = new(random, before);
            ConntrackFilter filter = round % 3 == 0 ? filters.NextForKernel() : filters.Next();
            DeleteSummary summary = table.Delete(filter, result => Assert.Fail($"{filter}: {result.Failure}"));
            AssertRemaining(filter, before);
            deleted += before.Count(filter.Matches);
            flushes += summary.IsEstimate ? 1 : 0;

            // The kernel's count decreases when an entry is freed. A master stays until the connections that it expected are gone.
            int matching = before.Count(filter.Matches);
            Assert.InRange(summary.Deleted, summary.IsEstimate ? 0 : matching, matching);
        }

        Assert.True(deleted > rounds, $"only {deleted} deleted");
        if (features == (int)KernelFeatures.All)
            Assert.True(flushes > rounds / 5, $"only {flushes} deletions by one request");
        else
            Assert.Equal(0, flushes);
    }

    [Fact]
    public void A_filter_that_names_nothing_deletes_nothing()
    {
        TableFiller.Fill(_ns, 20);
        foreach (ConntrackFilter filter in new ConntrackFilter[]
        {
            new(), new() { SourceAddress = [AddressPrefix.Parse("0.0.0.0/0")] }, new() { Mark = [new(0, 0)] },
            new() { Port = [new(0, 65535)] }, new() { MinimumBytes = 0 }, new() { TimeoutAbove = 0 },
        })
        {
            Assert.Throws<ArgumentException>(() => _ns.Table.Delete(filter, _ => { }));
        }

        Assert.Equal(20, ConntrackTool.ListXml(_ns).Count);
    }

    private void AssertRemaining(ConntrackFilter filter, List<ConntrackEntry> before)
    {
        IEnumerable<uint?> expected = before.Where(entry => !filter.Matches(entry)).Select(entry => entry.Id).Order();
        Assert.True(
            expected.SequenceEqual(ConntrackTool.ListXml(_ns).Select(flow => flow.Id).Order()),
            $"{filter} ({_ns.Table.Explain(filter)})");
    }
}
