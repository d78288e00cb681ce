using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

[Collection(nameof(Alone))]
public sealed class MemoryTests : IDisposable
{
    private const int Count = 200_000;
    private const long Bound = 64L * 1024 * 1024;

    private readonly NetworkNamespaceFixture _ns = new();

    public MemoryTests() => TableFiller.Fill(_ns, Count);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Two_hundred_thousand_entries_read_ahead_and_dropped_take_little_memory()
    {
        using EntryStream stream = _ns.Table.Open();
        AssertBounded(stream.Batches().Select(batch => batch.Count));
    }

    [Fact]
    public void Two_hundred_thousand_entries_read_here_and_dropped_take_little_memory() =>
        AssertBounded(_ns.Table.Read().Chunk(150).Select(entries => entries.Length));

    private static void AssertBounded(IEnumerable<int> batches)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true), peak = 0;
        int entries = 0, seen = 0;
        foreach (int count in batches)
        {
            entries += count;

            // Counts live objects, not garbage that is not collected yet.
            if (++seen % 100 == 0)
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - before);
        }

        Assert.Equal(Count, entries);
        Assert.InRange(peak, 0, Bound);
    }
}
