using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public class WrappedTextTests
{
    public static TheoryData<string, ConntrackTextFormat> Samples => new()
    {
        { "list", ConntrackTextFormat.List },
        { "extended", ConntrackTextFormat.Extended },
        { "ip_conntrack-2.6", ConntrackTextFormat.List },
        { "proc", ConntrackTextFormat.Proc },
        { "save", ConntrackTextFormat.Save },
        { "labels-id", ConntrackTextFormat.List },
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_terminal_of_any_width_wraps_what_can_still_be_read(string sample, ConntrackTextFormat format)
    {
        string[] lines = TextSamples.Lines(sample);
        string expected = Rewrite(lines, format);
        for (int width = 24; width < 260; width += width < 90 ? 1 : 5)
            Assert.Equal(expected, Rewrite(lines.SelectMany(line => line.Chunk(width).Select(part => new string(part))), format));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void So_does_a_mail_program_that_breaks_between_words(string sample, ConntrackTextFormat format)
    {
        string[] lines = TextSamples.Lines(sample);
        string expected = Rewrite(lines, format);
        for (int width = 30; width < 260; width += 7)
        {
            Assert.Equal(expected, Rewrite(lines.SelectMany(line => AtWords(line, width)), format));
            Assert.Equal(expected, Rewrite(lines.SelectMany(line => AtWords(line, width).Select((part, index) => index == 0 ? part : "    " + part)), format));
        }
    }

    [Fact]
    public void A_cut_may_be_anywhere_behind_the_protocols_number()
    {
        const string Line = "udp      17 170 src=10.0.0.1 dst=10.0.0.22 sport=1033 dport=53 packets=10 bytes=600 [UNREPLIED] src=10.0.0.22 dst=203.0.113.1 "
            + "sport=53 dport=61033 packets=20 bytes=800 [ASSURED] mark=17 zone=10 helper=sip use=12";
        string expected = Rewrite([Line], ConntrackTextFormat.List);
        for (int cut = "udp      17".Length; cut < Line.Length; cut++)
            Assert.Equal(expected, Rewrite([Line[..cut], Line[cut..]], ConntrackTextFormat.List));
    }

    [Fact]
    public void A_joined_line_has_the_number_of_its_first_part()
    {
        List<ConntrackTextItem> items = TextSamples.Read(
        [
            "udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1033 dp", "ort=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1033 use=1",
            "udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 use=1",
        ]);

        Assert.Equal([1L, 3L], items.Select(item => item.LineNumber));
        Assert.All(items, item => Assert.IsType<ConntrackTextRecord>(item));
    }

    [Fact]
    public void A_line_cut_off_for_good_costs_itself_only()
    {
        const string Whole = "udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 use=1";
        int tupleEnd = Whole.IndexOf(" use=", StringComparison.Ordinal);
        for (int cut = "udp      17".Length; cut < Whole.Length - 1; cut++)
        {
            List<ConntrackTextItem> items = TextSamples.Read([Whole, Whole[..cut], Whole]);
            Assert.Equal(3, items.Count);
            Assert.IsType<ConntrackTextRecord>(items[0]);
            Assert.Equal(2, items[1].LineNumber);
            if (cut < tupleEnd)
                Assert.IsType<ConntrackTextProblem>(items[1]);
            else
                Assert.Equal((null, null), (((ConntrackTextRecord)items[1]).Entry!.UseCount, ((ConntrackTextRecord)items[1]).Entry!.Mark));
            Assert.IsType<ConntrackTextRecord>(items[2]);
        }
    }

    [Theory]
    [InlineData("DONE")]
    [InlineData("=== end of table ===")]
    [InlineData("Permission denied")]
    public void A_line_of_junk_costs_itself_only(string junk)
    {
        const string Whole = "udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 use=1";
        List<ConntrackTextItem> items = TextSamples.Read([Whole, junk, Whole]);

        Assert.Equal(3, items.Count);
        Assert.IsType<ConntrackTextRecord>(items[0]);
        Assert.Equal((2, junk), Assert.IsType<ConntrackTextProblem>(items[1]) is var problem ? (problem.LineNumber, problem.Line) : default);
        Assert.IsType<ConntrackTextRecord>(items[2]);
    }

    [Fact]
    public void Events_wait_for_their_next_line_unless_they_are_live()
    {
        string[] lines = TextSamples.Lines("events");
        string[] wrapped = [.. lines.SelectMany(line => line.Chunk(79).Select(part => new string(part)))];

        Assert.Equal(lines.Length, TextSamples.Read(wrapped).OfType<ConntrackTextRecord>().Count());
        Assert.Equal(
            TextSamples.Read(lines).Select(item => Rewrite((ConntrackTextRecord)item, ConntrackTextFormat.Extended)),
            TextSamples.Read(wrapped).Select(item => Rewrite((ConntrackTextRecord)item, ConntrackTextFormat.Extended)));

        ConntrackTextReader reader = new(new ConntrackTextOptions { IsLive = true });
        foreach (string line in lines)
        {
            reader.Add(line);
            Assert.True(reader.TryTake(out _));
        }
    }

    [Fact]
    public void XML_may_be_cut_anywhere_in_a_flow()
    {
        string[] lines = TextSamples.Lines("xml-ktimestamp-labels");
        string expected = Rewrite(lines, ConntrackTextFormat.Xml);
        Assert.Equal(expected, Rewrite(lines.SelectMany(line => line.Chunk(80).Select(part => new string(part))), ConntrackTextFormat.Xml));

        string flow = lines[2];
        for (int cut = "<flow".Length; cut < flow.Length; cut++)
            Assert.Equal(Rewrite([flow], ConntrackTextFormat.Xml), Rewrite([flow[..cut], flow[cut..]], ConntrackTextFormat.Xml));
    }

    private static IEnumerable<string> AtWords(string line, int width)
    {
        while (line.Length > width && line.LastIndexOf(' ', width) is > 11 and int end)
        {
            yield return line[..end];
            line = line[(end + 1)..];
        }

        yield return line;
    }

    private static string Rewrite(IEnumerable<string> lines, ConntrackTextFormat format) => string.Join(
        '\n', TextSamples.Read(lines).Select(item => item is ConntrackTextRecord record ? Rewrite(record, format) : item.ToString()));

    private static string Rewrite(ConntrackTextRecord record, ConntrackTextFormat format) =>
        new ConntrackTextWriter(format) { Details = (ConntrackTextDetails)7, Labels = TextSamples.Labels, CapturedAt = DateTime.UnixEpoch }.Write(record.Entry!);
}
