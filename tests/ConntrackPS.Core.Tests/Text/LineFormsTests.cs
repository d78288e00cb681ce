using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public class LineFormsTests
{
    private const ConntrackStatus Replied = ConntrackStatus.Confirmed | ConntrackStatus.SeenReply;
    private const ConntrackStatus SourceNat = ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone;
    private const ConntrackStatus DestinationNat = ConntrackStatus.DstNat | ConntrackStatus.DstNatDone;

    [Fact]
    public void A_line_of_conntrack_L_is_read_whole()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            "tcp      6 499 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=4 dport=80 packets=11 bytes=22 "
            + "src=10.8.8.8 dst=192.0.2.1 sport=8080 dport=4 packets=33 bytes=44 [ASSURED] mark=7 secmark=9 secctx=system_u:object_r:x:s0 "
            + "zone=3 delta-time=0 helper=ftp use=2 id=4294967295");

        Assert.Equal(IPFamily.IPv4, entry.AddressFamily);
        Assert.Equal(IPProtocol.Tcp, entry.Protocol);
        Assert.Equal(499u, entry.TimeoutSeconds);
        Assert.Equal(ConntrackState.Established, entry.State);
        Assert.Equal(("192.0.2.1", (ushort?)4, "198.51.100.7", (ushort?)80), (entry.SourceAddress, entry.SourcePort, entry.DestinationAddress, entry.DestinationPort));
        Assert.Equal(("10.8.8.8", (ushort?)8080, "192.0.2.1", (ushort?)4), (entry.ReplySourceAddress, entry.ReplySourcePort, entry.ReplyDestinationAddress, entry.ReplyDestinationPort));
        Assert.Equal((11ul, 22ul, 33ul, 44ul), (entry.OriginalPackets, entry.OriginalBytes, entry.ReplyPackets, entry.ReplyBytes));
        Assert.Equal(Replied | ConntrackStatus.Assured | DestinationNat, entry.Status);
        Assert.Equal((7u, 9u, (ushort)3, 2u, uint.MaxValue), (entry.Mark, entry.SecurityMark, entry.Zone, entry.UseCount, entry.Id));
        Assert.Equal(("system_u:object_r:x:s0", "ftp"), (entry.SecurityContext, entry.Helper));
    }

    [Theory]
    [InlineData("tcp      6 1 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 use=1", Replied)]
    [InlineData("tcp      6 1 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 use=1", ConntrackStatus.Confirmed)]
    [InlineData("tcp      6 1 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=3.3.3.3 sport=2 dport=1 use=1", Replied | SourceNat)]
    [InlineData("tcp      6 1 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=9 use=1", Replied | SourceNat)]
    [InlineData("tcp      6 1 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=4.4.4.4 dst=1.1.1.1 sport=2 dport=1 use=1", Replied | DestinationNat)]
    [InlineData("tcp      6 1 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=4.4.4.4 dst=3.3.3.3 sport=9 dport=8 use=1", Replied | DestinationNat | SourceNat)]
    [InlineData("icmp     1 1 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=7 src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=7 use=1", Replied)]
    [InlineData("icmp     1 1 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=7 src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=8 use=1", Replied | SourceNat)]
    [InlineData("tcp      6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [OFFLOAD] use=1", Replied | ConntrackStatus.Offload)]
    [InlineData("tcp      6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [HW_OFFLOAD] use=1", Replied | ConntrackStatus.Offload | ConntrackStatus.HwOffload)]
    public void Status_is_what_the_text_tells(string line, ConntrackStatus expected) =>
        Assert.Equal(expected, TextSamples.ReadEntry(line).Status);

    [Theory]
    [InlineData("ipv4     2 tcp      6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [OFFLOAD] mark=0 use=1")]
    [InlineData("tcp 6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 use=1")]
    public void An_offloaded_entry_has_neither_timeout_nor_state(string line)
    {
        ConntrackEntry entry = TextSamples.ReadEntry(line);

        Assert.Null(entry.TimeoutSeconds);
        Assert.Null(entry.State);
    }

    [Fact]
    public void ICMP_has_its_id_and_the_entrys_own()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            "icmpv6   58 29 src=::1 dst=::1 type=128 code=1 id=9156 src=::1 dst=::1 type=129 code=2 id=9157 mark=0 use=1 id=1763885701");

        Assert.Equal(((byte?)128, (byte?)1, (ushort?)9156), (entry.IcmpType, entry.IcmpCode, entry.IcmpId));
        Assert.Equal(((byte?)129, (byte?)2, (ushort?)9157), (entry.ReplyIcmpType, entry.ReplyIcmpCode, entry.ReplyIcmpId));
        Assert.Equal(1763885701u, entry.Id);
    }

    [Fact]
    public void GRE_has_keys_in_hexadecimal()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            "ipv4     2 gre      47 29 timeout=30, stream_timeout=180 src=1.1.1.1 dst=2.2.2.2 srckey=0x1f dstkey=0xffff src=2.2.2.2 dst=1.1.1.1 srckey=0xffff dstkey=0x1f use=1");

        Assert.Equal(((ushort?)0x1f, (ushort?)0xffff), (entry.GreSourceKey, entry.GreDestinationKey));
        Assert.Equal(29u, entry.TimeoutSeconds);
    }

    [Theory]
    [InlineData("unknown  2 499 src=10.0.0.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 use=1", 2)]
    [InlineData("unknown  33 499 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 use=1", 33)]
    [InlineData("unknown  47 499 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 use=1", 47)]
    [InlineData("gre      47 499 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 use=1", 47)]
    [InlineData("unknown  255 499 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 use=1", 255)]
    public void Protocols_unknown_to_the_kernel_keep_their_number(string line, int number)
    {
        ConntrackEntry entry = TextSamples.ReadEntry(line);

        Assert.Equal((IPProtocol)number, entry.Protocol);
        Assert.False(entry.Original.HasPorts);
    }

    [Theory]
    [InlineData("COOKIE_WAIT", ConntrackState.CookieWait)]
    [InlineData("HEARTBEAT_ACKED", ConntrackState.HeartbeatAcked)]
    [InlineData("ESTABLISHED", ConntrackState.Established)]
    [InlineData("NONE", ConntrackState.None)]
    public void SCTP_has_states_of_its_own(string word, ConntrackState expected)
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            $"sctp     132 9 {word} src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1");

        Assert.Equal(expected, entry.State);
    }

    [Fact]
    public void Zones_can_be_of_one_direction()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            "udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 zone-orig=5 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 zone-reply=6 use=1");

        Assert.Equal(((ushort?)5, (ushort?)6, (ushort)0), (entry.OriginalZone, entry.ReplyZone, entry.Zone));
    }

    [Fact]
    public void What_the_text_knows_and_no_property_holds_is_an_extra()
    {
        ConntrackTextRecord record = TextSamples.ReadOne(
            "tcp      6 9 NEW_STATE src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [NEW_MARK] color=blue use=1 labels=eth0-in,nameless");

        Assert.Equal(["NEW_STATE", "NEW_MARK", "color", "the label 'nameless', which connlabel.conf doesn't name"], record.UnknownWords);
        Assert.Equal(
            [new("NEW_STATE", ""), new("NEW_MARK", ""), new("color", "blue"), new("labels", "nameless")],
            record.Entry!.Extra!);
        Assert.Equal("1", record.Entry.Labels);
        Assert.Null(record.Entry.State);
    }

    [Theory]
    [InlineData(" labels=eth0-in,last", "1,127")]
    [InlineData(" labels=5", "5")]
    [InlineData(" labels", null)]
    public void Labels_are_read_by_name_or_number(string tail, string? expected) => Assert.Equal(
        expected,
        TextSamples.ReadEntry("udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1" + tail).Labels);

    [Fact]
    public void Label_names_may_have_spaces()
    {
        ConntrackTextRecord record = TextSamples.ReadOne(
            "    [NEW] udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 labels=eth 0 out,last [USERSPACE] portid=10047 progname=a b c");

        Assert.Equal(["the label 'eth 0 out', which connlabel.conf doesn't name"], record.UnknownWords);
        Assert.Equal("127", record.Entry!.Labels);
        Assert.Equal(10047u, Assert.IsType<ConntrackEvent>(record.Value).PortId);
    }

    [Theory]
    [InlineData("[start=Sun Nov  1 07:40:05 2026]", 2026, 11, 1, 7, 40, 5)]
    [InlineData("[start=Fri Nov 20 23:59:59 2026]", 2026, 11, 20, 23, 59, 59)]
    public void Times_are_local(string mark, int year, int month, int day, int hour, int minute, int second)
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            $"udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 delta-time=3 {mark} use=1");

        Assert.Equal(new DateTime(year, month, day, hour, minute, second, DateTimeKind.Local), entry.StartTime);
        Assert.Contains(mark, new ConntrackTextWriter(ConntrackTextFormat.List) { Details = ConntrackTextDetails.Timestamp }.Write(entry), StringComparison.Ordinal);
    }

    [Fact]
    public void Blank_lines_comments_and_totals_are_passed_over()
    {
        const string Line = "udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1";
        ConntrackTextReader reader = new();
        reader.Add($"\r\n \t \n# comment\n{Line}\r\n\n{Line}\nconntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.\n");
        reader.Complete();

        Assert.Equal((7, 5, 2, 0), (reader.LineCount, reader.SkippedCount, reader.RecordCount, reader.ProblemCount));
        Assert.True(reader.TryTake(out ConntrackTextItem? first));
        Assert.Equal(4, first.LineNumber);
        Assert.True(reader.TryTake(out ConntrackTextItem? second));
        Assert.Equal(6, second.LineNumber);
    }
}
