using System.Runtime.CompilerServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Top;

/// <summary>Compares whole frames with the files in Frames/. After an intended change, run with UPDATE_FRAMES=1 and check the difference in
/// git.</summary>
public sealed class FrameTests
{
    private static readonly TopView Plain = new()
    {
        FilterSyntax = new FilterSyntax("the parameters of Get-ConntrackEntry", "-Protocol tcp -SourceAddress 10.0.0.0/8"),
    };

    [Theory]
    [InlineData(80, 24)]
    [InlineData(120, 40)]
    [InlineData(200, 50)]
    [InlineData(300, 100)]
    public void Entries_of_all_kinds(int width, int height) =>
        AssertFrame(TopSample.Mixed(), Plain, width, height, "mixed");

    [Theory]
    [InlineData(80, 24)]
    [InlineData(120, 30)]
    [InlineData(160, 30)]
    public void IPv6_addresses(int width, int height) => AssertFrame(TopSample.IPv6(), Plain, width, height, "ipv6");

    /// <summary>The longest names of states and protocols, between addresses that need all the space.</summary>
    [Theory]
    [InlineData(80, 24)]
    [InlineData(120, 24)]
    public void States_are_never_cut(int width, int height)
    {
        ConntrackEntry[] entries =
        [
            Entries.Make(IPProtocol.Sctp, "2001:db8:1111:2222:3333:4444:5555:6666", 5060, "2001:db8:1111:2222:3333:4444:5555:7777", 5061).WithState(ConntrackState.ShutdownAckSent),
            Entries.Make(IPProtocol.Sctp, "192.0.2.1", 5060, "198.51.100.7", 5061).WithState(ConntrackState.HeartbeatAcked),
            Entries.Make(IPProtocol.UdpLite, "192.0.2.2", 5060, "198.51.100.7", 5061),
        ];
        AssertFrame(TopSample.Make(entries), Plain, width, height, "states");
    }

    [Theory]
    [InlineData(80, 24)]
    [InlineData(300, 100)]
    public void An_empty_table(int width, int height) => AssertFrame(TopSample.Empty(), Plain, width, height, "empty");

    [Theory]
    [InlineData(40, 8)]
    [InlineData(39, 8)]
    [InlineData(40, 7)]
    [InlineData(1, 1)]
    public void A_screen_that_is_small_or_too_small(int width, int height) =>
        AssertFrame(TopSample.Mixed(), Plain, width, height, "small");

    [Theory]
    [InlineData(80, 24)]
    [InlineData(120, 24)]
    public void Names_with_wide_characters(int width, int height) =>
        AssertFrame(TopSample.Mixed(), Plain with { ShowsNames = true }, width, height, "names", new FixedNames());

    [Theory]
    [InlineData(120, 24)]
    [InlineData(160, 24)]
    public void Translated_addresses(int width, int height) =>
        AssertFrame(TopSample.Mixed(), Plain with { ShowsTranslation = true, ShowsTotals = false }, width, height, "nat");

    [Theory]
    [InlineData(TopGrouping.Source)]
    [InlineData(TopGrouping.Destination)]
    [InlineData(TopGrouping.Port)]
    public void Groups(TopGrouping grouping) =>
        AssertFrame(TopSample.Mixed(), Plain with { Grouping = grouping }, 80, 24, $"groups-{grouping}");

    /// <summary>The title has as many plots as it has room for.</summary>
    [Theory]
    [InlineData(70)]
    [InlineData(80)]
    [InlineData(120)]
    public void A_title_with_plots(int width) => AssertFrame(TopSample.Mixed(), Plain, width, 12, "session", history: TopSample.Session(TopSample.Mixed(), 30));

    [Theory]
    [InlineData(40, 8)]
    [InlineData(80, 24)]
    [InlineData(104, 32)]
    [InlineData(200, 60)]
    public void The_page_of_plots(int width, int height) =>
        AssertFrame(TopSample.Mixed(), Plain with { Pane = TopPane.Plot }, width, height, "plots", history: TopSample.Session(TopSample.Mixed(), 300));

    [Fact]
    public void Plots_of_a_session_that_begins() =>
        AssertFrame(TopSample.Mixed(), Plain with { Pane = TopPane.Plot }, 80, 24, "plots-first", history: TopSample.Session(TopSample.Mixed(), 1));

    [Theory]
    [InlineData(24)]
    [InlineData(40)]
    public void The_help_page(int height) => AssertFrame(TopSample.Mixed(), Plain with { Pane = TopPane.Help }, 80, height, "help");

    /// <summary>The whole help fits on a standard terminal without truncation.</summary>
    [Fact]
    public void The_help_page_fits_into_80_columns_and_24_lines()
    {
        TopFrame frame = TopScreen.Draw(TopSample.Mixed(), Plain with { Pane = TopPane.Help }, 80, 24);
        Assert.True(frame.RowCount <= frame.PageSize, $"{frame.RowCount} lines, room for {frame.PageSize}");
        Assert.DoesNotContain("…", string.Join('\n', frame.ToText().Skip(2)), StringComparison.Ordinal);
    }

    /// <summary>Sort marks are shown beside complete titles, for every sort column.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sort_signs_eat_no_letter(bool hasUnicode)
    {
        foreach (TopColumn first in Enum.GetValues<TopColumn>())
        {
            foreach (TopColumn then in Enum.GetValues<TopColumn>())
            {
                TopView view = Plain with { Order = new TopOrder(first, then), HasUnicode = hasUnicode };
                string header = TopScreen.Draw(TopSample.Mixed(), view, 80, 24).ToText().ElementAt(2);
                Assert.Contains(TopLayout.TitleOf(first) + SortMark.Of(view, first), header, StringComparison.Ordinal);
                if (header.Contains(SortMark.Of(view, then), StringComparison.Ordinal) && TopScreen.Draw(TopSample.Mixed(), view, 80, 24).Columns.Contains(then))
                    Assert.Contains(TopLayout.TitleOf(then) + SortMark.Of(view, then), header, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Services depend on the entry's protocol: udp 80, and port 443 of protocols other than TCP, keep their numbers.</summary>
    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public void Services_instead_of_ports(int width)
    {
        ServiceNames services = ServiceNames.Parse(["https 443/tcp", "http-alt 8080/tcp", "domain 53/tcp", "domain 53/udp", "mdns 5353/udp", "http 80/tcp", "a-service-of-a-very-long-name 8443/tcp"]);
        AssertFrame(TopSample.Mixed(), Plain with { ShowsServices = true }, width, 24, "services", services: services);
        AssertFrame(TopSample.Mixed(), Plain with { ShowsServices = true, Grouping = TopGrouping.Port }, width, 24, "services-groups", services: services);
        Assert.Equal(
            TopScreen.Draw(TopSample.Mixed(), Plain, width, 24).ToText(),
            TopScreen.Draw(TopSample.Mixed(), Plain, width, 24, services: services).ToText());
    }

    [Fact]
    public void Every_property_of_an_entry()
    {
        ConntrackEntry entry = Entries.Tcp("10.1.2.5", 50005, "198.51.100.20", 8443)
            .WithState(ConntrackState.Established).WithSourceNat("203.0.113.9", 61000).WithCounters(7, 777);
        TopView view = Plain with { Pane = TopPane.Detail, Detail = EntryDetail.Of(entry) };
        AssertFrame(TopSample.Mixed(), view, 80, 24, "detail");
        AssertFrame(TopSample.Mixed(), view with { PaneOffset = 1000 }, 80, 12, "detail-end");
        AssertFrame(TopSample.Mixed(), view with { Detail = null }, 80, 12, "detail-gone");
    }

    [Fact]
    public void A_page_in_the_middle_of_many()
    {
        TopView view = Plain with { Order = new TopOrder(TopColumn.TimeLeft, TopColumn.State), Selected = 512, Offset = 500, IsFrozen = true };
        AssertFrame(TopSample.Many(1000), view, 100, 20, "middle");
        AssertFrame(TopSample.Many(1000), view with { Selected = 999_999 }, 100, 20, "end");
    }

    [Fact]
    public void A_filter_a_namespace_and_what_happened()
    {
        TopFilter filter = new() { Text = "-Protocol tcp", Asked = new ConntrackFilter { Protocol = [IPProtocol.Tcp] }, SkipsLoopback = true };
        AssertFrame(TopSample.Mixed(), Plain with { Filter = filter, Namespace = "blue", Message = "Deleted\u001b[31m tcp." }, 100, 20, "filter");
    }

    [Fact]
    public void A_frame_that_stays_alone() =>
        AssertFrame(TopSample.Mixed(), Plain with { IsStill = true, Order = new TopOrder(TopColumn.Bytes) }, 120, 16, "still");

    [Fact]
    public void Questions()
    {
        TopSnapshot snapshot = TopSample.Mixed();
        EntryKey key = EntryKey.Of(Entries.Any()) with { Zone = 5 };
        AssertFrame(snapshot, Plain with { Prompt = new FilterPrompt("-Protocol tcp") }, 100, 20, "prompt-filter");
        AssertFrame(snapshot, Plain with { Prompt = new FilterPrompt(new string('x', 200) + " the end") }, 80, 20, "prompt-long");
        AssertFrame(snapshot, Plain with { Prompt = new DeleteEntryPrompt(key) }, 80, 20, "prompt-delete");
        AssertFrame(snapshot, Plain with { Prompt = new DeleteManyPrompt(new ConntrackFilter(), "all 2 entries of source 192.0.2.1") }, 80, 20, "prompt-many");
    }

    [Fact]
    public void Without_signs_outside_ASCII()
    {
        foreach (TopPane pane in (TopPane[])[TopPane.None, TopPane.Plot])
        {
            TopFrame frame = TopScreen.Draw(
                TopSample.IPv6(), Plain with { HasUnicode = false, Pane = pane }, 120, 24, history: TopSample.Session(TopSample.IPv6(), 90));
            Assert.All(frame.ToText(), line => Assert.True(System.Text.Ascii.IsValid(line), line));
        }
    }

    /// <summary>For every size and view, a frame covers the screen exactly.</summary>
    [Fact]
    public void Every_line_is_as_wide_as_the_screen()
    {
        Random random = new(20261120);
        TopSnapshot[] snapshots = [TopSample.Mixed(), TopSample.IPv6(), TopSample.Empty(), TopSample.Many(500)];
        for (int round = 0; round < 1000; round++)
        {
            (int width, int height) = (random.Next(1, 320), random.Next(1, 110));
            TopView view = new()
            {
                Order = new TopOrder((TopColumn)random.Next(15), (TopColumn)random.Next(15), random.Next(2) == 0),
                Grouping = (TopGrouping)random.Next(4),
                Pane = (TopPane)(random.Next(6) % 4),
                Selected = random.Next(600),
                Offset = random.Next(600),
                ShowsNames = random.Next(2) == 0,
                ShowsTranslation = random.Next(2) == 0,
                ShowsCounters = random.Next(2) == 0,
                ShowsTotals = random.Next(2) == 0,
                HasFixedWidth = random.Next(2) == 0,
            };
            TopFrame frame = TopScreen.Draw(snapshots[round % 4], view, width, height, new FixedNames(), history: TopSample.Session(snapshots[round % 4], random.Next(0, 400)));
            Assert.Equal(height, frame.Lines.Count);
            Assert.All(frame.Lines, line => Assert.Equal(width, line.Sum(span => TextWidth.Of(span.Text))));
            Assert.InRange(frame.Selected, 0, 600);
        }
    }

    private static void AssertFrame(
        TopSnapshot snapshot, TopView view, int width, int height, string name, INameSource? names = null, ServiceNames? services = null,
        TopHistory? history = null, [CallerFilePath] string source = "")
    {
        string picture = string.Join('\n', TopScreen.Draw(snapshot, view, width, height, names, services, history).ToText()) + "\n";
        string file = Path.Combine(Path.GetDirectoryName(source)!, "Frames", $"{name}-{width}x{height}.txt");
        if (Environment.GetEnvironmentVariable("UPDATE_FRAMES") == "1")
            File.WriteAllText(file, picture);
        Assert.Equal(File.ReadAllText(file), picture);
    }

    private sealed class FixedNames : INameSource
    {
        public string? NameOf(HostAddress address) => address.ToString() switch
        {
            "192.0.2.1" => "router.example.net",
            "198.51.100.7" => "日本語の名前のとても長いホスト.example.jp",
            "192.0.2.33" => "evil\u001b[2Jname\u202e.example",
            "10.1.2.5" => "e\u0301cole.example.fr",
            _ => null,
        };
    }
}
