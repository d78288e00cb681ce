using ConntrackPS.Diagnosis;

namespace ConntrackPS.Tests.Diagnosis;

public sealed class PartialSortTests
{
    private const int Seed = 20261120;

    [Fact]
    public void Any_window_is_what_a_full_sort_puts_there()
    {
        Random random = new(Seed);
        for (int round = 0; round < 2000; round++)
        {
            int[] items = [.. Enumerable.Range(0, random.Next(300)).Select(_ => random.Next(round % 3 == 0 ? 5 : 1000))];
            int start = random.Next(items.Length + 2), length = random.Next(items.Length + 2);
            int[] expected = [.. items.Order().Skip(start).Take(length)];
            PartialSort.Window(items.AsSpan(), start, length, Comparer<int>.Default);
            Assert.Equal(expected, items.Skip(start).Take(length));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(0)]
    public void Lists_that_are_sorted_or_all_alike_cost_no_more(int direction)
    {
        int[] items = [.. Enumerable.Range(0, 100_000).Select(number => number * direction)];
        int[] expected = [.. items.Order().Skip(50_000).Take(30)];
        Counting order = new();
        PartialSort.Window(items.AsSpan(), 50_000, 30, order);
        Assert.Equal(expected, items.Skip(50_000).Take(30));
        Assert.InRange(order.Comparisons, 1, 20L * items.Length);
    }

    [Fact]
    public void The_first_few_of_many_take_about_one_comparison_for_each()
    {
        Random random = new(Seed);
        int[] items = [.. Enumerable.Range(0, 100_000).Select(_ => random.Next())];
        int[] expected = [.. items.Order().Take(50)];
        Counting order = new();
        PartialSort.Window(items.AsSpan(), 0, 50, order);
        Assert.Equal(expected, items.Take(50));
        Assert.InRange(order.Comparisons, 1, items.Length * 3L / 2);
    }

    private sealed class Counting : IComparer<int>
    {
        public long Comparisons { get; private set; }

        public int Compare(int x, int y)
        {
            Comparisons++;
            return x.CompareTo(y);
        }
    }
}
