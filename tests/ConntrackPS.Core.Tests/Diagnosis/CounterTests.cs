using ConntrackPS.Diagnosis;

namespace ConntrackPS.Tests.Diagnosis;

public sealed class CounterTests
{
    [Theory]
    [InlineData(0u, 0u, 0u)]
    [InlineData(10u, 25u, 15u)]
    [InlineData(uint.MaxValue, 4u, 5u)]
    [InlineData(uint.MaxValue - 9, 90u, 100u)]
    public void A_change_knows_that_counters_wrap_at_32_bits(uint before, uint now, uint change) =>
        Assert.Equal(change, Cpu(0, now).Since(Cpu(0, before), Counter.Drop));

    [Fact]
    public void A_counter_that_is_missing_has_no_change() => Assert.Null(Cpu(0, 5).Since(new CpuCounters(0), Counter.Drop));

    [Fact]
    public void A_sum_over_processors_needs_more_than_32_bits() =>
        Assert.Equal(3UL * uint.MaxValue, CounterValues.Sum(Cpu(0, uint.MaxValue), Cpu(1, uint.MaxValue), Cpu(2, uint.MaxValue))[Counter.Drop]);

    [Fact]
    public void A_counter_that_no_processor_has_has_no_sum() => Assert.Null(CounterValues.Sum(Cpu(0, 1))[Counter.Found]);

    [Fact]
    public void Changes_are_summed_processor_by_processor()
    {
        // If the processors were summed first, the wrap of one would look like a decrease of the sum.
        CpuCounters[] before = [Cpu(0, uint.MaxValue), Cpu(1, 100)], now = [Cpu(1, 130), Cpu(0, 9)];
        Assert.Equal(40UL, CounterValues.Since(before, now)[Counter.Drop]);
    }

    [Fact]
    public void A_processor_that_was_not_there_before_does_not_count() =>
        Assert.Equal(1UL, CounterValues.Since([Cpu(0, 4)], [Cpu(0, 5), Cpu(1, 1000)])[Counter.Drop]);

    private static CpuCounters Cpu(int cpu, uint dropped) => new(cpu) { [Counter.Drop] = dropped };
}
