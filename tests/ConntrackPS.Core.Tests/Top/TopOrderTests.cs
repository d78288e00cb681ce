using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Top;

public sealed class TopOrderTests
{
    public static TheoryData<TopColumn> Columns => [.. Enum.GetValues<TopColumn>()];

    [Theory]
    [MemberData(nameof(Columns))]
    public void Sorting_by_a_column_sorts_what_stands_in_it(TopColumn column)
    {
        TopSnapshot snapshot = TopSample.Many(300);
        int[] rows = [.. Enumerable.Range(0, snapshot.Entries.Count)];
        PartialSort.Window(rows.AsSpan(), 0, rows.Length, new TopOrder(column).In(snapshot));
        string[] cells = [.. rows.Select(row => TopCell.TextOf(snapshot.Entries[row], column, snapshot, default))];

        // Equal cells are adjacent, so no cell value appears again after another one.
        List<string> runs = [.. cells.Where((cell, i) => i == 0 || cells[i - 1] != cell)];
        Assert.Equal(runs.Distinct(), runs);

        int[] reversed = [.. rows];
        PartialSort.Window(reversed.AsSpan(), 0, rows.Length, new TopOrder(column, IsReversed: true).In(snapshot));
        Assert.Equal(rows.Reverse(), reversed);
    }

    [Theory]
    [InlineData(TopColumn.Source, new[] { "2.0.0.1", "10.0.0.1", "2001:db8::1" })]
    [InlineData(TopColumn.DestinationPort, new[] { "10.0.0.1", "2.0.0.1", "2001:db8::1" })]
    [InlineData(TopColumn.TimeLeft, new[] { "2001:db8::1", "10.0.0.1", "2.0.0.1" })]
    public void Addresses_and_numbers_are_sorted_by_what_they_mean(TopColumn column, string[] sources)
    {
        ConntrackEntry first = Entries.Tcp("10.0.0.1", 1, "198.51.100.7", 80), second = Entries.Tcp("2.0.0.1", 1, "198.51.100.7", 443);
        ConntrackEntry third = Entries.Tcp("2001:db8::1", 1, "2001:db8::2", 8080);
        (first.Data.Timeout, second.Data.Timeout, third.Data.Timeout) = (100, 99, 1000);
        TopFrame frame = TopScreen.Draw(TopSample.Make([first, second, third]), new() { Order = new TopOrder(column), ShowsTotals = false }, 120, 20);
        Assert.Equal(sources, frame.ToText().Skip(2).Take(3).Select(line => line.Split(' ')[0]));
    }

    [Fact]
    public void The_second_column_decides_among_equals()
    {
        TopSnapshot snapshot = TopSample.Many(300);
        int[] rows = [.. Enumerable.Range(0, 300)];
        PartialSort.Window(rows.AsSpan(), 0, 300, new TopOrder(TopColumn.Protocol, TopColumn.TimeLeft).In(snapshot));
        foreach (IGrouping<IPProtocol, uint> protocol in rows.GroupBy(row => snapshot.Entries[row].Original.Protocol, row => snapshot.Entries[row].Timeout))
            Assert.Equal(protocol.OrderDescending(), protocol);
    }
}
