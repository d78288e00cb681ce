using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Top;

/// <summary>The history of a session, and its plots.</summary>
public sealed class TopHistoryTests
{
    [Fact]
    public void Only_the_latest_snapshots_are_kept()
    {
        TopHistory history = new(capacity: 5);
        for (int i = 0; i < 12; i++)
        {
            Assert.Equal(Math.Min(i, 5), history.Count);
            history.Add(new TopSnapshot { TableCount = i, Seconds = 2, Began = 10 * i });
        }

        Assert.Equal([7, 8, 9, 10, 11], history.Entries);
        Assert.Equal([35, 40, 45, 50, 55], history.NewPerSecond);
        Assert.All(history.DropPerSecond, value => Assert.True(double.IsNaN(value)));
        Assert.Equal(11, history[4].Entries);
    }

    [Theory]
    [InlineData(new[] { 1.0, 2, 3, 4, 5, 6, 7, 8 }, 8, "▁▂▃▄▅▆▇█")]
    [InlineData(new[] { 0.0, 1, 800 }, 5, "   ▁█")]
    [InlineData(new[] { 0.0, 0, 0 }, 3, "   ")]
    [InlineData(new[] { double.NaN, 8, double.NaN }, 3, " █ ")]
    [InlineData(new[] { 9.0, 1, 2, 4 }, 3, "▂▄█")]
    public void A_line_shows_the_latest_values(double[] values, int width, string expected) => Assert.Equal(expected, Sparkline.Draw(values, width, hasUnicode: true));

    [Fact]
    public void Several_lines_show_all_values_and_keep_the_peaks()
    {
        double[] values = [.. Enumerable.Range(0, 1000).Select(i => i == 500 ? 16.0 : 8)];
        string[] lines = Sparkline.Draw(values, 10, 2, hasUnicode: true);
        Assert.Equal(["     █    ", "██████████"], lines);
        Assert.Equal(["     #    ", "##########"], Sparkline.Draw(values, 10, 2, hasUnicode: false));
    }

    [Fact]
    public void New_entries_drops_and_sources_are_those_of_the_table()
    {
        using NetworkNamespaceFixture ns = new();
        SnapshotReader reader = new(ns.Table);
        ConntrackFilter all = new();
        TableFiller.Create(ns, Enumerable.Range(1, 30).Select(i => Entries.Udp("192.0.2.1", i, "198.51.100.7", 53)));
        TopSnapshot first = reader.Read(all, null, default);
        Assert.Equal((null, 0), (first.NewPerSecond, first.Began));
        Assert.Null(first.DropPerSecond);
        TableFiller.Create(ns, Enumerable.Range(1, 20).Select(i => Entries.Udp("192.0.2.2", i, "198.51.100.7", 53)));
        TopSnapshot second = reader.Read(all, null, default);
        Assert.Equal(20, second.Began);
        Assert.Equal(20 / second.Seconds, second.NewPerSecond);
        Assert.Equal(0, second.DropPerSecond);
        Assert.Equal([KeyValuePair.Create("192.0.2.1", 30L), KeyValuePair.Create("192.0.2.2", 20L)], second.TopSources);
        Assert.Equal(0, reader.Read(all, null, default).Began);
    }

    [Fact]
    public void A_key_opens_and_closes_the_page_of_plots()
    {
        TopView view = new();
        TopFrame frame = TopScreen.Draw(TopSample.Mixed(), view, 80, 24);
        view = TopControl.Press(view, TopKey.Of('g'), frame).View;
        Assert.Equal(TopPane.Plot, view.Pane);
        frame = TopScreen.Draw(TopSample.Mixed(), view, 80, 24, history: TopSample.Session(TopSample.Mixed(), 10));
        Assert.Contains("Top sources", frame.ToText());
        Assert.Null(TopControl.Press(view, TopKey.Of('x'), frame).View.Prompt);
        Assert.Equal(TopPane.None, TopControl.Press(view, TopKey.Of('g'), frame).View.Pane);
        Assert.Equal(TopPane.None, TopControl.Press(view, new TopKey(TopKeyCode.Escape), frame).View.Pane);
    }
}
