using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Whatever part of a filter the kernel gets, the result is the same as with checking every entry here.</summary>
public class KernelFilterTests(RandomTableFixture fixture, ITestOutputHelper output) : IClassFixture<RandomTableFixture>
{
    private const int Seed = 20261120;

    public static TheoryData<int> OlderKernels => new(Enumerable.Range(0, 6).Select(bit => (int)KernelFeatures.All & ~(1 << bit)));

    [Fact]
    public void The_kernel_and_a_full_check_agree_on_random_filters() => AssertAgreement(KernelFeatures.All, Exhaustive.Rounds(150, 5000));

    [Theory]
    [MemberData(nameof(OlderKernels))]
    public void A_kernel_that_lacks_a_feature_gives_the_same_answer(int features) => AssertAgreement((KernelFeatures)features, Exhaustive.Rounds(30, 500));

    private void AssertAgreement(KernelFeatures features, int count)
    {
        output.WriteLine($"seed {Seed}, features {features}");
        List<ConntrackEntry> all = [.. fixture.Namespace.Table.Read()];
        RandomFilters filters = new(new Random(Seed), all);
        ConntrackTable table = new(fixture.Namespace.Namespace, features);
        int matching = 0;
        for (int i = 0; i < count; i++)
        {
            ConntrackFilter filter = filters.Next();
            HashSet<uint?> expected = [.. all.Where(filter.Matches).Select(entry => entry.Id)];
            HashSet<uint?> actual = [.. table.Read(filter).Select(entry => entry.Id)];
            Assert.True(expected.SetEquals(actual), $"{filter} ({table.Explain(filter)}): {expected.Count} expected, {actual.Count} read");
            matching += expected.Count;
        }

        // Filters that match nothing would always agree.
        Assert.True(matching > count, $"only {matching} matches");
    }
}
