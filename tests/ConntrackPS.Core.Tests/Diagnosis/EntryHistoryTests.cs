using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

public sealed class EntryHistoryTests
{
    private const int Many = 20_000;

    private readonly EntryHistory _history = new();

    [Fact]
    public void What_is_seen_again_tells_what_moved()
    {
        _history.Add(Counted(packets: 3, bytes: 300));
        Assert.True(_history.See(Counted(packets: 5, bytes: 1000), out ulong packets, out ulong bytes));
        Assert.Equal((2UL, 700UL), (packets, bytes));
    }

    [Fact]
    public void Of_what_is_new_all_has_moved()
    {
        Assert.False(_history.See(Counted(packets: 5, bytes: 1000), out ulong packets, out ulong bytes));
        Assert.Equal((5UL, 1000UL), (packets, bytes));
    }

    [Fact]
    public void Counters_that_were_reset_have_moved_from_0()
    {
        _history.Add(Counted(packets: 30, bytes: 3000));
        Assert.True(_history.See(Counted(packets: 2, bytes: 200), out ulong packets, out ulong bytes));
        Assert.Equal((2UL, 200UL), (packets, bytes));
    }

    [Fact]
    public void An_entry_that_took_the_tuple_since_is_another_one()
    {
        _history.Add(Counted(1, 1));
        ConntrackEntry newcomer = Counted(1, 1);
        newcomer.Data.Id++;
        Assert.False(_history.See(newcomer, out _, out _));
        Assert.Equal([0], _history.UnseenTags());
    }

    [Fact]
    public void Many_entries_are_all_found_and_only_the_missing_are_told()
    {
        for (int i = 0; i < Many; i++)
            _history.Add(TableFiller.Numbered(i), tag: i);
        for (int i = 0; i < Many; i += 2)
            Assert.True(_history.See(TableFiller.Numbered(i), out _, out _));
        Assert.False(_history.See(TableFiller.Numbered(Many), out _, out _));
        Assert.Equal(Enumerable.Range(0, Many / 2).Select(i => 2 * i + 1), _history.UnseenTags());
        _history.Unsee();
        Assert.Equal(Many, _history.UnseenTags().Count());
        _history.Clear();
        Assert.Empty(_history.UnseenTags());
        Assert.False(_history.See(TableFiller.Numbered(0), out _, out _));
    }

    private static ConntrackEntry Counted(ulong packets, ulong bytes) => Entries.Any().WithCounters(packets, bytes);
}
