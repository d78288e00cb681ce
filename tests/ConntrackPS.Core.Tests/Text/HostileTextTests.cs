using System.Text.RegularExpressions;
using ConntrackPS.Conntrack;
using ConntrackPS.Fuzzing;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public partial class HostileTextTests
{
    private const string Good = "udp      17 170 src=10.9.9.9 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.9.9.9 sport=53 dport=1034 use=1";
    private static readonly string[] Samples =
    [
        "list", "extended-id", "ktimestamp", "labels-id", "proc", "save", "xml", "xml-ktimestamp-labels", "ip_conntrack-2.6",
        "events", "events-ktimestamp", "events-save", "events-xml",
    ];

    private static readonly string[] Frames =
    [
        "", "> ", "12:", "    17\t", "Nov 20 07:40:00 router kernel: ", "<134>1 2026-11-29T03:10:00.003Z fw1 conntrack 1234 - - ",
        "2026-11-29T03:10:00+0000 fw1 conntrack[1234]: ", "root@gw:~# ", "| ", "# ", "{\"log\":\"", "\u001b[32m", "log.txt:12:", "- `",
    ];

    public static TheoryData<string> AllSamples => [.. Samples];

    public static TheoryData<string> EveryForm => [.. Samples, "expect-list", "expect-proc", "expect-events-timestamp", "expect-xml", "stat", "stat-proc", "sysctl", "reports"];

    [Theory]
    [MemberData(nameof(AllSamples))]
    public void Text_truncated_at_any_position_never_throws(string sample)
    {
        foreach (string line in TextSamples.Lines(sample).DistinctBy(line => line.Length).Take(12))
        {
            for (int length = 0; length < line.Length; length++)
                TextSamples.Read([line[..length]]);
        }
    }

    [Theory]
    [MemberData(nameof(AllSamples))]
    public void Mutated_text_never_throws_and_costs_itself_only(string sample)
    {
        TextMutator mutator = new(TextSamples.Lines(sample), 20261120);
        for (int run = 0; run < 4000; run++)
        {
            string line = mutator.Next();

            // A blank line ends whatever the mutant began.
            List<ConntrackTextItem> items = TextSamples.Read([Good, "", line, "", Good]);
            Assert.Equal("10.9.9.9", Assert.IsType<ConntrackTextRecord>(items[0]).Entry!.SourceAddress);
            if (!line.Contains('<'))
                Assert.Equal("10.9.9.9", Assert.IsType<ConntrackTextRecord>(items[^1]).Entry!.SourceAddress);
        }
    }

    [Theory]
    [MemberData(nameof(EveryForm))]
    public void Mutated_text_in_a_frame_or_wrapped_never_throws_and_costs_itself_only(string sample)
    {
        TextMutator mutator = new(TextSamples.Lines(sample), 18);
        Random random = new(20261129);
        for (int run = 0; run < 1000; run++)
        {
            string line = Frames[run % Frames.Length] + mutator.Next();
            string[] lines = (run % 3) switch
            {
                0 => [line],
                1 => Cut(line, random.Next(line.Length)),
                _ => [line.Insert(random.Next(line.Length), (run % 2) == 0 ? "\u001b[01;31m\u001b[K" : "\0"), ""],
            };
            List<ConntrackTextItem> items = TextSamples.Read([Good, "", .. lines, "", Good]);
            Assert.Equal("10.9.9.9", Assert.IsType<ConntrackTextRecord>(items[0]).Entry!.SourceAddress);
            Assert.All(items, item => Assert.InRange(item.LineNumber, 1, lines.Length + 4));
            if (!line.Contains('<'))
                Assert.Equal("10.9.9.9", Assert.IsType<ConntrackTextRecord>(items[^1]).Entry!.SourceAddress);
        }
    }

    [Theory]
    [MemberData(nameof(AllSamples))]
    public void A_colour_at_any_place_changes_nothing(string sample)
    {
        foreach (string line in TextSamples.Lines(sample).DistinctBy(line => line.Length).Take(6))
        {
            if (TextSamples.Read([line]) is not [ConntrackTextRecord { Entry: { } plain }])
                continue;
            string expected = DeltaTime().Replace(new ConntrackTextWriter(ConntrackTextFormat.Xml).Write(plain), "");
            for (int at = 0; at <= line.Length; at++)
            {
                string coloured = line.Insert(at, "\u001b[01;31m\u001b[K");
                Assert.Equal(expected, DeltaTime().Replace(new ConntrackTextWriter(ConntrackTextFormat.Xml).Write(TextSamples.ReadEntry(coloured)), ""));
            }
        }
    }

    private static string[] Cut(string line, int at) => [line[..at], line[at..]];

    [Theory]
    [MemberData(nameof(AllSamples))]
    public void What_is_read_of_mutated_text_can_be_written_and_read_again(string sample)
    {
        TextMutator mutator = new(TextSamples.Lines(sample), 7);
        ConntrackTextWriter[] writers = [.. Enum.GetValues<ConntrackTextFormat>().Except([ConntrackTextFormat.Delete]).Select(format => new ConntrackTextWriter(format) { Details = (ConntrackTextDetails)7 })];
        for (int run = 0; run < 2000; run++)
        {
            foreach (ConntrackTextRecord record in TextSamples.Read([mutator.Next()]).OfType<ConntrackTextRecord>())
            {
                // XML says nothing of ICMP but the addresses, and the other forms don't make it up.
                ConntrackEntry entry = record.Entry!;
                foreach (ConntrackTextWriter writer in entry.Original.IsWhole && entry.Reply.IsWhole ? writers : writers[^1..])
                    Assert.True(TextSamples.Read([writer.Write(entry)]) is [ConntrackTextRecord], writer.Write(entry));
            }
        }
    }

    [Theory]
    [InlineData("tcp      6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=65536 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "sport=65536")]
    [InlineData("tcp      6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.256 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "dst=10.0.0.256")]
    [InlineData("tcp      6 9 ESTABLISHED src=010.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "src=010.0.0.1")]
    [InlineData("tcp      6 9 ESTABLISHED src=xxx.xxx.xxx.xxx dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "src=xxx.xxx.xxx.xxx")]
    [InlineData("tcp      6 9 ESTABLISHED src=10.0.0.1 dst=x.x.x.x sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "dst=x.x.x.x")]
    [InlineData("tcp      6 9 ESTABLISHED src=fe80::1%eth0 dst=fe80::2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "src=fe80::1%eth0")]
    [InlineData("tcp      17 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "17")]
    [InlineData("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 src=10.0.0.1 use=1", "src=10.0.0.1")]
    [InlineData("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 sport=1 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "sport=1")]
    [InlineData("300 l3 = 2 17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2", "300")]
    public void A_problem_names_the_word_that_does_not_fit(string line, string found)
    {
        ConntrackTextProblem problem = Assert.IsType<ConntrackTextProblem>(TextSamples.Read([Good, line, Good])[1]);

        Assert.Equal((found, 2L, line), (problem.Found, problem.LineNumber, problem.Line));
        Assert.Equal(line.LastIndexOf(found, StringComparison.Ordinal), line.IndexOf(found, problem.Column - 1, StringComparison.Ordinal));
        Assert.StartsWith($"Line 2, column {problem.Column}: found '{found}', expected {problem.Expected}.", problem.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tcp      6 99999999999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "99999999999", "")]
    [InlineData("tcp      6 9 established src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "established", "")]
    [InlineData("udp      17 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "ESTABLISHED", "")]
    [InlineData("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 packets=18446744073709551616 use=1", "packets", "18446744073709551616")]
    [InlineData("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=-1 use=1", "mark", "-1")]
    [InlineData("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [start=yesterday] use=1", "start", "yesterday")]
    [InlineData("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [] use=1", "[]", "")]
    [InlineData("ipv5     udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "ipv5", "")]
    public void A_value_outside_the_tuples_that_cannot_be_read_is_an_extra(string line, string key, string value)
    {
        ConntrackTextRecord record = TextSamples.ReadOne(line);

        Assert.Equal([key], record.UnknownWords);
        Assert.Equal([new(key, value)], record.Entry!.Extra!);
        Assert.Equal(("10.0.0.1", (ushort?)2, 1u), (record.Entry.SourceAddress, record.Entry.DestinationPort, record.Entry.UseCount));
        Assert.Equal(key switch { "99999999999" => null, _ => 9u }, record.Entry.TimeoutSeconds);
    }

    [Theory]
    [InlineData("tcp      6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 use=1", "dport= of the reply direction")]
    [InlineData("tcp      6 9 ESTABLISHED src=10.0.0.1 sport=1 dport=2 use=1", "dst= of the original direction")]
    [InlineData("icmp     1 9 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1 use=1", "id= of the original direction")]
    [InlineData("tcp      6 9 ESTABLISHED src=10.0.0.1 dst=::1 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1", "four addresses of one family")]
    public void A_problem_names_what_is_missing(string line, string expected)
    {
        ConntrackTextProblem problem = TextSamples.ReadProblem(line);

        Assert.Equal(("", expected), (problem.Found, problem.Expected));
        Assert.Equal($"Line 1 ends too early: expected {expected}. The line: {line}", problem.ToString());
    }

    [Theory]
    [InlineData("\0\0\0\u00ff\ufffe")]
    [InlineData("\u001b[31mred\u001b[0m \u0007\u0008\u009b31m")]
    [InlineData("tcp      6 9 ESTABLISHED src=\u001b[31m10.0.0.256\u001b]0;title\u0007 dst=10.0.0.2 sport=1 dport=2")]
    public void A_problem_shows_nothing_that_a_terminal_would_obey(string line) =>
        Assert.DoesNotContain(TextSamples.ReadProblem(line).ToString(), char.IsControl);

    [Fact]
    public void Endless_lines_and_endless_continuations_end()
    {
        string longWord = new('x', 5_000_000);
        Assert.IsType<ConntrackTextProblem>(Assert.Single(TextSamples.Read(["tcp      6 9 ESTABLISHED src=" + longWord])));
        Assert.NotEmpty(TextSamples.Read(["<flow>" + longWord, longWord, longWord]));

        // Each could go on forever.
        IEnumerable<string> never = Enumerable.Repeat("1", 100_000).Prepend("tcp      6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=");
        Assert.NotEmpty(TextSamples.Read(never));
    }

    /// <summary>It goes on while the test runs.</summary>
    [GeneratedRegex("<deltatime>.*?</deltatime>")]
    private static partial Regex DeltaTime();
}
