using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public class RoundTripTests
{
    public static TheoryData<string, ConntrackTextFormat, ConntrackTextDetails> Samples => new()
    {
        { "list", ConntrackTextFormat.List, ConntrackTextDetails.None },
        { "ip_conntrack-2.6", ConntrackTextFormat.List, ConntrackTextDetails.None },
        { "extended", ConntrackTextFormat.Extended, ConntrackTextDetails.None },
        { "extended-id", ConntrackTextFormat.Extended, ConntrackTextDetails.Id },
        { "ktimestamp", ConntrackTextFormat.List, ConntrackTextDetails.Timestamp },
        { "labels-id", ConntrackTextFormat.List, ConntrackTextDetails.Label | ConntrackTextDetails.Id },
        { "proc", ConntrackTextFormat.Proc, ConntrackTextDetails.None },
        { "save", ConntrackTextFormat.Save, ConntrackTextDetails.None },
        { "xml", ConntrackTextFormat.Xml, ConntrackTextDetails.None },
        { "xml-ktimestamp-labels", ConntrackTextFormat.Xml, ConntrackTextDetails.Timestamp | ConntrackTextDetails.Label },
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public void Text_comes_back_as_it_was(string sample, ConntrackTextFormat format, ConntrackTextDetails details)
    {
        // ctime's local times need a local clock, the kernel's nanoseconds need UTC.
        DateTime time = DateTime.SpecifyKind(TextSamples.TimeOf(sample), sample.StartsWith("xml", StringComparison.Ordinal) ? DateTimeKind.Utc : DateTimeKind.Local);
        string[] lines = TextSamples.Lines(sample);
        Assert.True(lines.Length > 5);

        Assert.Equal(string.Join('\n', lines), Rewrite(lines, format, details, time));
    }

    [Theory]
    [InlineData("events", ConntrackTextFormat.Extended, ConntrackTextDetails.EventTime | ConntrackTextDetails.Id)]
    [InlineData("events-ktimestamp", ConntrackTextFormat.List, ConntrackTextDetails.Timestamp)]
    [InlineData("events-xml", ConntrackTextFormat.Xml, ConntrackTextDetails.EventTime | ConntrackTextDetails.Timestamp)]
    public void Events_come_back_as_they_were(string sample, ConntrackTextFormat format, ConntrackTextDetails details)
    {
        string[] lines = TextSamples.Lines(sample);
        Assert.True(lines.Length > 5);

        Assert.Equal(string.Join('\n', lines), Rewrite(lines, format, details, null));
    }

    [Theory]
    [InlineData(ConntrackTextFormat.List)]
    [InlineData(ConntrackTextFormat.Extended)]
    [InlineData(ConntrackTextFormat.Xml)]
    [InlineData(ConntrackTextFormat.Proc)]
    [InlineData(ConntrackTextFormat.Save)]
    [InlineData(ConntrackTextFormat.Delete)]
    public void The_notice_of_a_loss_comes_back(ConntrackTextFormat format)
    {
        const string Notice = "WARNING: We have hit ENOBUFS! We are losing events.\nThis message means that the current netlink socket buffer size is too small.\n"
            + "Please, check --buffer-size in conntrack(8) manpage.";
        ConntrackTextRecord record = TextSamples.ReadOne(Notice.Split('\n'));
        ConntrackEvent lost = Assert.IsType<ConntrackEvent>(record.Value);
        Assert.Equal((ConntrackEventType.Lost, null, null), (lost.EventType, lost.LostCount, lost.EventTime));

        List<ConntrackTextItem> again = TextSamples.Read([new ConntrackTextWriter(format).Write(lost)]);
        ConntrackTextRecord second = Assert.IsType<ConntrackTextRecord>(Assert.Single(again));
        Assert.Equal(ConntrackEventType.Lost, Assert.IsType<ConntrackEvent>(second.Value).EventType);
    }

    [Theory]
    [InlineData(ConntrackTextFormat.List, "list")]
    [InlineData(ConntrackTextFormat.Extended, "extended")]
    [InlineData(ConntrackTextFormat.Proc, "proc")]
    [InlineData(ConntrackTextFormat.Save, "list")]
    [InlineData(ConntrackTextFormat.Xml, "list")]
    public void What_is_written_in_any_form_can_be_read_and_names_the_same_flow(ConntrackTextFormat format, string sample)
    {
        ConntrackTextWriter writer = new(format);
        foreach (string line in TextSamples.Lines(sample))
        {
            ConntrackEntry entry = TextSamples.ReadEntry(line);
            ConntrackEntry again = TextSamples.ReadEntry(writer.Write(entry));
            if (format == ConntrackTextFormat.Xml && entry.Original.IsIcmp)
                continue;
            Assert.Equal(entry.Original, again.Original);
            if (format != ConntrackTextFormat.Save || !entry.Original.IsIcmp)
                Assert.Equal(entry.Reply, again.Reply);
            Assert.Equal(entry.TimeoutSeconds, again.TimeoutSeconds);
            Assert.Equal(format == ConntrackTextFormat.Save && entry.Mark == 0 ? null : entry.Mark, again.Mark);
            Assert.Equal(entry.Zone, again.Zone);
            Assert.Equal(entry.OriginalZone, again.OriginalZone);
            Assert.Equal(entry.ReplyZone, again.ReplyZone);
            Assert.Equal(entry.State, again.State);
        }
    }

    [Fact]
    public void All_forms_of_one_table_tell_the_same()
    {
        string[] list = TextSamples.Lines("list");
        string[] extended = TextSamples.Lines("extended");
        string[] save = TextSamples.Lines("save");
        string[] flows = [.. TextSamples.Lines("xml").Where(line => line.StartsWith("<flow>", StringComparison.Ordinal))];
        for (int i = 0; i < list.Length; i++)
        {
            ConntrackEntry entry = TextSamples.ReadEntry(list[i]);
            Assert.Equal(entry.Original, TextSamples.ReadEntry(extended[i]).Original);
            Assert.Equal(entry.Original, TextSamples.ReadEntry(save[i]).Original);
            Assert.Equal(entry.State, TextSamples.ReadEntry(save[i]).State);
            ConntrackEntry flow = TextSamples.ReadEntry(flows[i]);
            Assert.Equal(entry.SourceAddress, flow.SourceAddress);
            Assert.Equal(entry.SourcePort, flow.SourcePort);
            Assert.Equal(entry.ReplyDestinationAddress, flow.ReplyDestinationAddress);
            Assert.Equal(entry.State, flow.State);
            Assert.Equal(entry.Status, flow.Status);
        }
    }

    [Fact]
    public void The_time_since_the_beginning_stays_as_it_is_without_a_time_to_count_from()
    {
        string line = TextSamples.Lines("list").First(line => line.Contains("delta-time=", StringComparison.Ordinal));
        ConntrackEntry entry = TextSamples.ReadEntry(line);

        Assert.Null(entry.StartTime);
        Assert.Contains($" delta-time={entry.Age} ", line, StringComparison.Ordinal);
        Assert.Equal(line, new ConntrackTextWriter(ConntrackTextFormat.List).Write(entry));
    }

    [Theory]
    [InlineData(ConntrackTextFormat.Proc)]
    [InlineData(ConntrackTextFormat.Xml)]
    public void An_age_alone_is_in_every_form(ConntrackTextFormat format)
    {
        const string Line = "udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=53 src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1 mark=0 delta-time=77 use=1";

        string text = new ConntrackTextWriter(format).Write(TextSamples.ReadEntry(Line));

        Assert.Contains(format == ConntrackTextFormat.Xml ? "<deltatime>77</deltatime>" : "delta-time=77", text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_entry_with_hidden_addresses_is_in_no_form()
    {
        const string Line = "udp      17 9 src=x.x.x.x dst=10.0.0.2 sport=1 dport=53 src=10.0.0.2 dst=x.x.x.x sport=53 dport=1 mark=0 use=1";
        ConntrackTextRecord record = Assert.IsType<ConntrackTextRecord>(
            Assert.Single(new ConntrackTextReader(new ConntrackTextOptions { AllowMasked = true }).Read(new StringReader(Line))));

        foreach (ConntrackTextFormat format in Enum.GetValues<ConntrackTextFormat>())
            Assert.ThrowsAny<FormatException>(() => new ConntrackTextWriter(format).Write(record.Entry!));
    }

    [Fact]
    public void The_timeouts_of_GRE_become_the_defaults_and_a_kernel_without_marks_gets_one()
    {
        const string Line = "ipv4     2 gre      47 497 timeout={0}, stream_timeout={1} src=10.0.0.1 dst=10.0.0.2 srckey=0x1001 dstkey=0x35 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 srckey=0x35 dstkey=0x1001 mark=0 zone=0 use=2";
        string[] lines = [Line.Replace("{0}", "0").Replace("{1}", "0").Replace("mark=0 ", "")];

        Assert.Equal(Line.Replace("{0}", "30").Replace("{1}", "180"), Rewrite(lines, ConntrackTextFormat.Proc, default, null));
    }

    [Fact]
    public void A_name_from_elsewhere_makes_no_other_line()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(TextSamples.Lines("list")[1]);
        entry.MakeDetails().Helper = "a b\nc";

        Assert.Contains(" helper=a_b_c ", new ConntrackTextWriter(ConntrackTextFormat.List).Write(entry), StringComparison.Ordinal);
    }

    private static string Rewrite(string[] lines, ConntrackTextFormat format, ConntrackTextDetails details, DateTime? time)
    {
        ConntrackTextWriter writer = new(format) { Details = details, CapturedAt = time, Labels = TextSamples.Labels };
        IEnumerable<string?> written = TextSamples.Read(lines, time)
            .Select(item => writer.Write(Assert.IsType<ConntrackTextRecord>(item).Entry!))
            .Prepend(writer.Header)
            .Append(writer.Footer);
        return string.Join('\n', written.Where(line => line is not null));
    }
}
