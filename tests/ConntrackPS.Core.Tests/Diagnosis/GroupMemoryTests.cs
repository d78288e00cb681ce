using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

[Collection(nameof(Alone))]
public sealed class GroupMemoryTests : IDisposable
{
    private const int Count = 200_000;
    private const long Bound = 8L * 1024 * 1024;

    private readonly NetworkNamespaceFixture _ns = new();

    public GroupMemoryTests() => TableFiller.Fill(_ns, Count);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Two_hundred_thousand_entries_in_few_groups_make_no_garbage_of_note()
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")] });
        long before = GC.GetTotalAllocatedBytes(precise: true);
        measurement.Read(_ns.Table);
        Assert.Equal(Count, measurement.Count);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, Bound);
    }
}
