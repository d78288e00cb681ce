using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Reporting;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Reporting;

/// <summary>Pages of reports: their numbers, their size, and that no name becomes markup.</summary>
public sealed partial class HtmlReportTests
{
    private static readonly string[] Hostile =
    [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onclick='alert(1)", "a\r\nb", "\u202egnp.exe", "\u2066x\u2069", "\0", "]]>", "&lt;b&gt;",
        "</style><script>alert(1)</script>", "--><svg/onload=alert(1)>", "\ud800", "${alert(1)}", "\u2028", new string('x', 100_000),
    ];

    [Fact]
    public void A_page_has_the_numbers_of_its_table()
    {
        TableTally table = Tally(
            Entries.Tcp("192.0.2.1", 1, "198.51.100.7", 443).WithState(ConntrackState.Established).WithCounters(10, 2000),
            Entries.Tcp("192.0.2.1", 2, "198.51.100.7", 443).WithState(ConntrackState.SynSent),
            Entries.Udp("192.0.2.2", 3, "198.51.100.8", 53));
        string page = HtmlReport.Write(Content() with { Table = table });
        Assert.Equal(3, table.Count);
        Assert.Equal([["192.0.2.1", "2", "66.7", "0", "2", "1", "10", "2.0 kB"], ["192.0.2.2", "1", "33.3", "0", "1", "0", "", ""]], Rows(page, "Source"));
        Assert.Equal(["198.51.100.7", "198.51.100.8"], Rows(page, "Destination").Select(row => row[0]));
        Assert.Equal(["tcp 443", "udp 53"], Rows(page, "Protocol and port").Select(row => row[0]));
        Assert.Contains("<span>tcp SynSent</span><i class=\"opening\"", page, StringComparison.Ordinal);
        Assert.Contains("<span>tcp Established</span><i class=\"open\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_tables_are_compared_entry_by_entry()
    {
        ConntrackEntry[] before =
        [
            WithId(Entries.Tcp("192.0.2.1", 1, "198.51.100.7", 443), 1),
            WithId(Entries.Tcp("192.0.2.1", 2, "198.51.100.7", 443), 2),
            WithId(Entries.Tcp("192.0.2.3", 3, "198.51.100.7", 443), 3),
        ];

        // The first stays, the second has ended and its ports are used again, the third has ended, and one from text without an id is new.
        TableComparison comparison = new(before);
        TableTally reference = Tally(before), table = new(20, comparison);
        table.Add(WithId(Entries.Tcp("192.0.2.1", 1, "198.51.100.7", 443), 1));
        table.Add(WithId(Entries.Tcp("192.0.2.1", 2, "198.51.100.7", 443), 7));
        table.Add(Entries.Udp("192.0.2.9", 3, "198.51.100.7", 53));
        Assert.Equal((1, 2, 2), (comparison.Stayed, comparison.Began, comparison.Ended));
        string page = HtmlReport.Write(Content() with { Table = table, Reference = reference });
        Assert.Contains("3 entries before, 3 after: <strong>2</strong> began, <strong>2</strong> ended, <strong>1</strong> stayed.", page, StringComparison.Ordinal);
        Assert.Equal([["192.0.2.3", "1", "0", "-1"], ["192.0.2.9", "0", "1", "+1"]], Rows(page, "Source", 1));
    }

    [Fact]
    public void Findings_settings_and_sources_of_the_history_are_shown()
    {
        string page = HtmlReport.Write(Content() with
        {
            Findings = [new(FindingSeverity.Critical, "TableFull", "262144 of 262144", "Packets are dropped.", "Fix 'it'")],
            Settings =
            [
                new("net.netfilter.a", true, false, null, "A."), new("net.netfilter.b", 5, 5, "seconds", "B."), new("net.netfilter.c", 60u, 30, "seconds", "C."),
                new("net.netfilter.d", 1, null, null, "D."), new("net.netfilter.e", "True", true, null, "E."),
            ],
            History = History(100),
        });
        Assert.Contains("<pre>Fix &#39;it&#39;</pre>", page, StringComparison.Ordinal);
        Assert.Equal([["net.netfilter.a", "on", "off", "A."], ["net.netfilter.c", "60 seconds", "30 seconds", "C."]], Rows(page, "Setting"));
        Assert.Equal(["10.0.0.1", "199"], Rows(page, "Source")[0][..2]);
        Assert.Equal(2, Regex.Count(page, "<svg viewBox=\"0 0 1040 "));
        Assert.Equal(2, Regex.Count(page, "<svg viewBox=\"0 0 350 "));
        Assert.DoesNotContain("<pre>Fix &#39;it&#39;</pre>", HtmlReport.Write(Content()), StringComparison.Ordinal);
    }

    /// <summary>Wherever a name stands, the page has the elements of the page with a plain name.</summary>
    [Fact]
    public void Hostile_names_stay_text()
    {
        string[] plain = Elements(HtmlReport.Write(Everything("x")));
        foreach (string name in Hostile)
        {
            string page = HtmlReport.Write(Everything(name));
            Assert.Equal(plain, Elements(page));
            Assert.DoesNotContain(page, letter => char.IsControl(letter) && letter != '\n');
            Assert.DoesNotContain(page, letter => letter is '\u202e' or '\u2066' or '\u2069' or '\u2028');
            Assert.True(Encoding.UTF8.GetByteCount(page) < 200_000);
        }
    }

    /// <summary>Nothing of the page asks for another file.</summary>
    [Fact]
    public void A_page_needs_no_other_file()
    {
        string page = HtmlReport.Write(Everything("http://example.com/x.js"));
        Assert.DoesNotMatch(@"<(link|img|iframe|object|embed|base|form)\b|\bsrc=|\bhref=|@import|url\(", page);
        Assert.Contains("default-src 'none'", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_history_and_a_large_table_make_a_small_page()
    {
        TableTally table = new(500);
        for (int i = 0; i < 50_000; i++)
            table.Add(Entries.Tcp($"10.{i / 65536}.{i / 256 % 256}.{i % 256}", (ushort)(i % 60_000 + 1), $"198.51.{i / 256 % 256}.{i % 256}", (ushort)(i % 60_000 + 1)));
        string page = HtmlReport.Write(Content() with { Table = table, History = History(50_000), Top = 500 });
        Assert.InRange(Encoding.UTF8.GetByteCount(page), 100_000, 1_000_000);
    }

    [Fact]
    public void An_empty_report_is_a_page_too()
    {
        Assert.Contains("None.", HtmlReport.Write(Content() with { Table = new TableTally(20) }), StringComparison.Ordinal);
        Elements(HtmlReport.Write(Content()));
    }

    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(1, 1, 0.5)]
    [InlineData(7, 8, 2)]
    [InlineData(262_144, 300_000, 100_000)]
    [InlineData(0.03, 0.03, 0.01)]
    public void Scales_end_at_round_numbers(double highest, double most, double step)
    {
        (double foundMost, double foundStep) = SvgChart.Scale(highest);
        Assert.Equal((most, step), (Math.Round(foundMost, 6), Math.Round(foundStep, 6)));
    }

    [Fact]
    public void A_chart_has_gaps_and_its_peaks()
    {
        DateTime noon = new(2026, 11, 20, 12, 0, 0, DateTimeKind.Local);
        (DateTime, double)[] points = [.. Enumerable.Range(0, 3000).Where(i => i is < 1000 or > 1200).Select(i => (noon.AddSeconds(i), i == 2000 ? 500.0 : 10))];
        string chart = new SvgChart(1040, 240).Draw("a < b", [new("Entries", "one", points)], 450, hasArea: true);
        XmlDocument svg = new();
        svg.LoadXml(chart);
        Assert.Equal("a < b", svg.DocumentElement!.GetAttribute("aria-label"));
        Assert.Equal(2, svg.SelectNodes("//path[@class='line one']")!.Count);
        Assert.Equal(2, svg.SelectNodes("//path[@class='area one']")!.Count);
        Assert.NotNull(svg.SelectSingleNode("//line[@class='limit']"));

        // 500 of a scale that ends at 600, between the 12 pixels above and the 26 below.
        Assert.Contains(" 45.7L", chart, StringComparison.Ordinal);
        Assert.Contains(">12:10<", chart, StringComparison.Ordinal);
    }

    /// <summary>A clock that was set from 1970 does not bend the line: the time since boot dates the first records.</summary>
    [Fact]
    public void The_times_of_a_boot_follow_its_last_record()
    {
        ConntrackHistoryRecord[] records = History(4);
        ConntrackHistoryRecord first = new(records[0].Values) { Time = DateTime.UnixEpoch.ToLocalTime(), BootId = "boot", Uptime = records[0].Uptime, Count = 1 };
        ConntrackHistoryRecord other = new(records[0].Values) { Time = records[0].Time.AddHours(-1), BootId = null, Count = 1 };
        DateTime[] times = HistoryClock.TimesOf([first, records[1], records[2], other, records[3]]);
        Assert.Equal([records[0].Time, records[1].Time, records[2].Time, records[2].Time, records[3].Time], times);
    }

    private static ReportContent Content() => new() { Title = "Title", Origin = "Origin", Made = new DateTime(2026, 11, 20, 12, 34, 56, DateTimeKind.Local) };

    private static ReportContent Everything(string name)
    {
        ConntrackHistoryRecord[] history = [.. History(10, name)];
        TableTally table = Tally(Entries.Tcp("192.0.2.1", 1, "198.51.100.7", 443).WithState(ConntrackState.SynSent));
        return Content() with
        {
            Title = name,
            Origin = name,
            Table = table,
            Present = history[^1],
            History = history,
            HistoryAdvice = name,
            Findings = [new(FindingSeverity.Warning, name, name, name, name)],
            Settings = [new(name, name, "other", name, name)],
        };
    }

    private static ConntrackHistoryRecord[] History(int count, string name = "10.0.0.1") =>
    [
        .. Enumerable.Range(0, count).Select(i =>
        {
            CounterValues counters = new();
            counters[Counter.Drop] = (ulong)(i * i);
            return new ConntrackHistoryRecord(counters)
            {
                Time = new DateTime(2026, 11, 20, 12, 0, 0, DateTimeKind.Local).AddMinutes(i),
                BootId = "boot",
                Uptime = 60 * i,
                Count = 100 + i,
                Maximum = 1000,
                Namespace = name,
                TopSources = new SourceCounts(new Dictionary<string, long> { [name] = 100 + i }),
            };
        }).Scan(),
    ];

    private static TableTally Tally(params ConntrackEntry[] entries)
    {
        TableTally tally = new(20);
        foreach (ConntrackEntry entry in entries)
            tally.Add(entry);
        return tally;
    }

    private static ConntrackEntry WithId(ConntrackEntry entry, uint id)
    {
        entry.Data.Id = id;
        entry.Fields |= EntryFields.Id;
        return entry;
    }

    /// <summary>The rows of the table with this first heading.</summary>
    private static string[][] Rows(string page, string heading, int number = 0)
    {
        string table = Table().Matches(page).Select(match => match.Value).Where(text => text.Contains($"<th><button>{heading}<", StringComparison.Ordinal)).ElementAt(number);
        return [.. Row().Matches(table).Select(row => Cell().Matches(row.Value).Select(cell => cell.Groups[1].Value.Replace("<bdi>", "", StringComparison.Ordinal).Replace("</bdi>", "", StringComparison.Ordinal)).ToArray())];
    }

    /// <summary>The elements and attributes of a page, as an XML parser sees them.</summary>
    private static string[] Elements(string page)
    {
        string text = Regex.Replace(page, "(?s)<(style|script)>.*?</\\1>", "").Replace("<!doctype html>", "", StringComparison.Ordinal).Replace("&middot;", "", StringComparison.Ordinal);
        text = Regex.Replace(text, "<(meta[^>]*|br)>", "<$1/>");
        XmlDocument document = new();
        document.LoadXml(text);
        return [.. document.SelectNodes("//*")!.Cast<XmlElement>().Select(element => $"{element.Name} {string.Join(' ', element.Attributes.Cast<XmlAttribute>().Select(attribute => attribute.Name))}")];
    }

    [GeneratedRegex("(?s)<table>.*?</table>")]
    private static partial Regex Table();

    [GeneratedRegex("<tr><td.*?</tr>")]
    private static partial Regex Row();

    [GeneratedRegex("<td[^>]*>(.*?)</td>")]
    private static partial Regex Cell();
}

/// <summary>Completes records with their rates.</summary>
internal static class HistoryScan
{
    public static IEnumerable<ConntrackHistoryRecord> Scan(this IEnumerable<ConntrackHistoryRecord> records)
    {
        HistoryRates rates = new();
        return records.Select(rates.Complete);
    }
}
