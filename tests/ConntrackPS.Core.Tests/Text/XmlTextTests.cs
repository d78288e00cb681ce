using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public class XmlTextTests
{
    private const string Flow = """
        <flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>10.0.0.1</src><dst>10.0.0.2</dst></layer3><layer4 protonum="132" protoname="sctp"><sport>1</sport><dport>2</dport></layer4></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>10.0.0.2</src><dst>10.0.0.1</dst></layer3><layer4 protonum="132" protoname="sctp"><sport>2</sport><dport>1</dport></layer4></meta><meta direction="independent"><state>ESTABLISHED</state><timeout>9</timeout><mark>0</mark><use>1</use><id>7</id></meta></flow>
        """;

    [Fact]
    public void A_document_may_be_laid_out_in_any_way()
    {
        string[] documents =
        [
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n" + Flow + "\n" + Flow + "\n</conntrack>",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><conntrack>" + Flow + Flow + "</conntrack>",
            "<conntrack>" + Flow.Replace("><", ">\n    <") + "\n\n\n" + Flow.Replace("><", ">\r\n\t<") + "</conntrack>",
            Flow + Flow,
            "<!-- a table --> " + Flow + " [USERSPACE] portid=7\n" + Flow,
            "<conntrack>" + Flow.Replace("<meta direction", "<meta\ndirection") + Flow.Replace("\" protoname", "\"\n   protoname"),
        ];
        foreach (string document in documents)
        {
            List<ConntrackTextItem> items = TextSamples.Read([document]);
            Assert.Equal(2, items.Count);
            Assert.All(items, item => Assert.Equal(7u, Assert.IsType<ConntrackTextRecord>(item).Entry!.Id));
        }
    }

    [Theory]
    [InlineData("SYN_SENT", ConntrackState.Closed)]
    [InlineData("ESTABLISHED", ConntrackState.CookieEchoed)]
    [InlineData("FIN_WAIT", ConntrackState.Established)]
    [InlineData("CLOSE", ConntrackState.HeartbeatSent)]
    [InlineData("COOKIE_WAIT", ConntrackState.CookieWait)]
    public void States_of_SCTP_have_the_names_that_TCP_has_for_their_numbers(string name, ConntrackState expected) =>
        Assert.Equal(expected, TextSamples.ReadEntry(Flow.Replace("ESTABLISHED", name)).State);

    [Fact]
    public void ICMP_has_addresses_only()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(Flow.Replace("132", "1").Replace("sctp", "icmp").Replace("<sport>1</sport><dport>2</dport>", "").Replace("<sport>2</sport><dport>1</dport>", "").Replace("<state>ESTABLISHED</state>", ""));

        Assert.Equal((IPProtocol.Icmp, "10.0.0.2"), (entry.Protocol, entry.DestinationAddress));
        Assert.False(entry.Original.HasPorts);
        Assert.Equal((null, null, null), (entry.IcmpType, entry.IcmpCode, entry.IcmpId));
        Assert.Equal((null, null, null), (entry.ReplyIcmpType, entry.ReplyIcmpCode, entry.ReplyIcmpId));
    }

    [Theory]
    [InlineData("<src>10.0.0.1</src>", "<src>xxx.xxx.xxx.xxx</src>", "<src>xxx.xxx.xxx.xxx</src>")]
    [InlineData("<sport>1</sport>", "<sport>65536</sport>", "<sport>65536</sport>")]
    [InlineData("<dport>2</dport>", "", "")]
    [InlineData("<sport>1</sport>", "<sport>1", "<flow><meta direction=\"o")]
    [InlineData("<mark>0</mark>", "<mark>&lol;</mark>", "lol;</mark><use>1</use><")]
    [InlineData("<mark>0</mark>", "<mark><a/></mark>", "a/></mark><use>1</use><i")]
    [InlineData("<layer4 protonum=\"132\" protoname=\"sctp\"", "<layer4", "")]
    [InlineData("<layer4 protonum=\"132\"", "<layer4 protonum=\"256\"", "")]
    [InlineData("<flow>", "<flow><flow>", "")]
    [InlineData("</flow>", "", "")]
    public void A_malformed_flow_costs_itself_only(string part, string instead, string found)
    {
        List<ConntrackTextItem> items = TextSamples.Read(["<conntrack>", Flow, Flow.Replace(part, instead), Flow, "</conntrack>"]);

        Assert.Equal(3, items.Count);
        Assert.IsType<ConntrackTextRecord>(items[0]);
        Assert.Equal((3, found), Assert.IsType<ConntrackTextProblem>(items[1]) is var problem ? (problem.LineNumber, problem.Found) : default);
        Assert.IsType<ConntrackTextRecord>(items[2]);
    }

    [Theory]
    [InlineData("<timeout>9</timeout>", "<timeout>-9</timeout>", "timeout", "-9")]
    [InlineData("<state>ESTABLISHED", "<state>OPEN", "state", "OPEN")]
    [InlineData("<mark>0</mark>", "<mark>many</mark>", "mark", "many")]
    public void A_value_outside_the_tuples_that_cannot_be_read_is_an_extra(string part, string instead, string key, string value)
    {
        ConntrackTextRecord record = TextSamples.ReadOne(Flow.Replace(part, instead));

        Assert.Equal([key], record.UnknownWords);
        Assert.Equal([new(key, value)], record.Entry!.Extra!);
        Assert.Equal("10.0.0.1", record.Entry.SourceAddress);
    }

    [Fact]
    public void The_name_of_a_protocol_is_enough_without_its_number() =>
        Assert.Equal(IPProtocol.Sctp, TextSamples.ReadEntry(Flow.Replace(" protonum=\"132\"", "")).Protocol);

    [Fact]
    public void Document_types_are_refused()
    {
        List<ConntrackTextItem> items = TextSamples.Read(
        [
            "<?xml version=\"1.0\"?>", "<!DOCTYPE conntrack [<!ENTITY lol SYSTEM \"file:///etc/passwd\">]>", "<conntrack>", Flow.Replace("<mark>0", "<mark>&lol;"),
            "<flow><!DOCTYPE x [<!ENTITY y \"z\">]></flow>", Flow, "</conntrack>",
        ]);

        Assert.Equal([2L, 4L, 5L], items.OfType<ConntrackTextProblem>().Select(problem => problem.LineNumber));
        Assert.Equal(6, Assert.Single(items.OfType<ConntrackTextRecord>()).LineNumber);
    }

    [Fact]
    public void What_no_property_holds_is_an_extra()
    {
        ConntrackTextRecord record = TextSamples.ReadOne(
            Flow.Replace("<use>", "<color>blue</color><labels><label>last</label><label>x y</label></labels><use>"));

        Assert.Equal([new("color", "blue"), new("labels", "x y")], record.Entry!.Extra!);
        Assert.Equal(["color", "the label 'x y', which connlabel.conf doesn't name"], record.UnknownWords);
    }

    [Fact]
    public void Text_is_escaped()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(Flow.Replace("</flow>", "<helper>a&amp;&lt;b></helper></flow>"));

        Assert.Equal("a&<b>", entry.Helper);
        Assert.Equal("a&<b>", TextSamples.ReadEntry(new ConntrackTextWriter(ConntrackTextFormat.Xml).Write(entry)).Helper);
    }

    [Fact]
    public void An_empty_table_is_a_document_too()
    {
        ConntrackTextWriter writer = new(ConntrackTextFormat.Xml);

        Assert.Empty(TextSamples.Read([writer.Header!, writer.Footer!]));
        Assert.Null(new ConntrackTextWriter(ConntrackTextFormat.List).Header);
        Assert.Null(new ConntrackTextWriter(ConntrackTextFormat.List).Footer);
    }
}
