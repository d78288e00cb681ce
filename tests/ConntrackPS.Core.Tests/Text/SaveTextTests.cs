using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public class SaveTextTests
{
    private const ConntrackStatus SourceNat = ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone;
    private const ConntrackStatus DestinationNat = ConntrackStatus.DstNat | ConntrackStatus.DstNatDone;

    [Theory]
    [InlineData("-A -t 9 -u UNSET -s 10.0.0.1 -d 10.0.0.2 -r 10.0.0.2 -q 10.0.0.1 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1", "10.0.0.2:2 10.0.0.1:1", ConntrackStatus.None)]
    [InlineData("-A -t 9 -u UNSET -s 10.0.0.1 -d 10.0.0.2 -r 10.0.0.9 -q 10.0.0.8 -p udp --sport 1 --dport 2 --reply-port-src 3 --reply-port-dst 4", "10.0.0.9:3 10.0.0.8:4", ConntrackStatus.None)]
    [InlineData("-A -t 9 -u UNSET -s 10.0.0.1 -d 10.0.0.2 -g 10.0.0.9 -n 10.0.0.8 -p udp --sport 1 --dport 2", "10.0.0.9:2 10.0.0.8:1", SourceNat | DestinationNat)]
    [InlineData("-A -t 9 -u UNSET -s 10.0.0.1 -d 10.0.0.2 -g 10.0.0.9:33 -q 10.0.0.1 -p udp --sport 1 --dport 2", "10.0.0.9:33 10.0.0.1:1", DestinationNat)]
    [InlineData("-I -t 9 -s 10.0.0.1 -d 10.0.0.2 --src-nat=10.0.0.8:44 -p 17 --orig-port-src=1 --orig-port-dst=2", "10.0.0.2:2 10.0.0.8:44", SourceNat)]
    [InlineData("--create conntrack -t9 -s10.0.0.1 -d10.0.0.2 -p UDP --sport 0x1 --dport 2", "10.0.0.2:2 10.0.0.1:1", ConntrackStatus.None)]
    [InlineData("-A -t 9 -r 10.0.0.2 -q 10.0.0.1 -p udp --reply-port-src 2 --reply-port-dst 1", "10.0.0.2:2 10.0.0.1:1", ConntrackStatus.None)]
    public void The_reply_is_what_is_given_translated_or_the_reverse(string line, string reply, ConntrackStatus nat)
    {
        ConntrackEntry entry = TextSamples.ReadEntry(line);

        Assert.Equal("10.0.0.1:1 10.0.0.2:2", $"{entry.SourceAddress}:{entry.SourcePort} {entry.DestinationAddress}:{entry.DestinationPort}");
        Assert.Equal(reply, $"{entry.ReplySourceAddress}:{entry.ReplySourcePort} {entry.ReplyDestinationAddress}:{entry.ReplyDestinationPort}");
        Assert.Equal(ConntrackStatus.Confirmed | nat, entry.Status);
    }

    [Fact]
    public void All_options_are_read()
    {
        ConntrackEntry entry = TextSamples.ReadEntry(
            "-A -t 499 -u SEEN_REPLY,ASSURED,FIXED_TIMEOUT,EXPECTED -c 5 -w 3 --orig-zone 4 --reply-zone 6 -m 0x10/0xff -f ipv6 --label-add \"eth0-in,last\" "
            + "-s fd00::1 -d fd00::2 -g [fd00::9]:77 -n [fd00::8]:66 -p sctp --sport 1 --dport 2 --state COOKIE_ECHOED --orig-vtag 16777216 --reply-vtag 4294967295");

        Assert.Equal(
            ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.FixedTimeout | ConntrackStatus.Expected | ConntrackStatus.Confirmed | SourceNat | DestinationNat,
            entry.Status);
        Assert.Equal((499u, 5u, (ushort)3, (ushort?)4, (ushort?)6, 16u), (entry.TimeoutSeconds, entry.SecurityMark, entry.Zone, entry.OriginalZone, entry.ReplyZone, entry.Mark));
        Assert.Equal(("fd00::9", (ushort?)77, "fd00::8", (ushort?)66), (entry.ReplySourceAddress, entry.ReplySourcePort, entry.ReplyDestinationAddress, entry.ReplyDestinationPort));
        Assert.Equal((ConntrackState.CookieEchoed, "1,127"), (entry.State, entry.Labels));
        Assert.Equal((BitConverter.IsLittleEndian ? 1u : 16777216u, uint.MaxValue), (entry.OriginalVerificationTag, entry.ReplyVerificationTag));
    }

    [Theory]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p tpc", "tpc")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 70000 --dport 2", "70000")]
    [InlineData("-A -t soon -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 7 --dport 2", "soon")]
    [InlineData("-A -t 9 -u SEEN -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 7 --dport 2", "SEEN")]
    [InlineData("-A -t 9 -u !ASSURED -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 7 --dport 2", "!ASSURED")]
    [InlineData("-A -t 9 -s 10.0.0.0/24 -d 10.0.0.2 -p udp --sport 7 --dport 2", "10.0.0.0/24")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -g 10.0.0.9:http -p udp --sport 7 --dport 2", "10.0.0.9:http")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -g fd00::1:80 -p udp --sport 7 --dport 2 -q 10.0.0.1 -r 10.0.0.2", "10.0.0.2")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 --state ESTABLISHED -p tcp --sport 7 --dport 2", "ESTABLISHED")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 7 --dport 2 --state OPEN", "OPEN")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p icmp --icmp-type 256 --icmp-code 0 --icmp-id 1", "256")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -w 65536 -p udp --sport 7 --dport 2", "65536")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 7 --dport 2 --color blue", "blue")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 7 --sport 8 --dport 2", "8")]
    public void A_problem_names_the_value_that_does_not_fit(string line, string found) =>
        Assert.Equal(found, TextSamples.ReadProblem(line).Found);

    [Theory]
    [InlineData("-A", "-p and a protocol")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p udp --sport", "the option's value")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1", "all of -s, -d, --sport, --dport")]
    [InlineData("-A -t 9 -s 10.0.0.1 -p icmp --icmp-type 8 --icmp-code 0", "all of -s, -d, --icmp-type, --icmp-code, --icmp-id")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d fd00::1 -p 2", "four addresses of one family")]
    [InlineData("-A -t 9 -s 10.0.0.1 -p 2", "all of -s, -d")]
    public void A_problem_names_what_is_missing(string line, string expected) =>
        Assert.Equal(("", expected), TextSamples.ReadProblem(line) is var problem ? (problem.Found, problem.Expected) : default);

    [Theory]

    // Options that -A demands, where the text doesn't tell.
    [InlineData(
        "tcp      6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [OFFLOAD] mark=0 use=1",
        "-A -t 30 -u SEEN_REPLY -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -q 1.1.1.1 -p tcp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1 --state ESTABLISHED")]
    [InlineData(
        "[DESTROY] tcp      6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1",
        "-A -t 30 -u UNSET -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -q 1.1.1.1 -p tcp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1 --state NONE")]
    [InlineData(
        "unknown  33 9 src=1.1.1.1 dst=2.2.2.2 src=2.2.2.2 dst=1.1.1.1 use=1",
        "-A -t 9 -u SEEN_REPLY -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -q 1.1.1.1 -p dccp --sport 0 --dport 0 --reply-port-src 0 --reply-port-dst 0 --state NONE --role client")]
    [InlineData(
        "sctp     132 9 HEARTBEAT_SENT src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 use=1",
        "-A -t 9 -u SEEN_REPLY -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -q 1.1.1.1 -p sctp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1 --state NONE --orig-vtag 0 --reply-vtag 0")]

    // Marks, which conntrack leaves out, and EXPECTED, with which -R ends.
    [InlineData(
        "-A -t 9 -u EXPECTED,SEEN_REPLY -m 7 -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -q 1.1.1.1 -p 2",
        "-A -t 9 -u SEEN_REPLY -m 7 -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -q 1.1.1.1 -p 2")]

    // A port that is translated alone, or with both addresses, is lost without being named.
    [InlineData(
        "udp      17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=9 use=1",
        "-A -t 9 -u SEEN_REPLY -s 1.1.1.1 -d 2.2.2.2 -r 2.2.2.2 -n 1.1.1.1:9 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 9")]
    [InlineData(
        "udp      17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=4.4.4.4 dst=3.3.3.3 sport=8 dport=9 use=1",
        "-A -t 9 -u SEEN_REPLY -s 1.1.1.1 -d 2.2.2.2 -g 4.4.4.4:8 -n 3.3.3.3:9 -p udp --sport 1 --dport 2 --reply-port-src 8 --reply-port-dst 9")]
    [InlineData(
        "udp      17 9 src=fd00::1 dst=fd00::2 sport=1 dport=2 src=fd00::4 dst=fd00::1 sport=8 dport=9 use=1",
        "-A -t 9 -u SEEN_REPLY -s fd00::1 -d fd00::2 -g [fd00::4]:8 -n [fd00::1]:9 -p udp --sport 1 --dport 2 --reply-port-src 8 --reply-port-dst 9")]
    [InlineData(
        "udp      17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=4.4.4.4 dst=3.3.3.3 sport=2 dport=1 use=1",
        "-A -t 9 -u SEEN_REPLY -s 1.1.1.1 -d 2.2.2.2 -g 4.4.4.4 -n 3.3.3.3 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1")]
    public void Fault_8_what_is_written_loses_less_than_conntracks_own(string line, string expected) =>
        Assert.Equal(expected, new ConntrackTextWriter(ConntrackTextFormat.Save).Write(TextSamples.ReadEntry(line)));

    [Fact]
    public void Fault_9_a_bad_command_costs_itself_only()
    {
        List<ConntrackTextItem> items = TextSamples.Read(
        [
            "# saved yesterday", "-A -t 9 -s 1.1.1.1 -d 2.2.2.2 -p 2 --label-add eth0-in", "-A -t 9 -s 1.1.1.1 -d 2.2.2.2 -p nothing", "",
            "-A -t 9 -s 1.1.1.2 -d 2.2.2.2 -p 2 --label-add eth0-out",
        ]);

        Assert.Equal([2L, 3L, 5L], items.Select(item => item.LineNumber));
        Assert.Equal(["1", "2"], items.OfType<ConntrackTextRecord>().Select(record => record.Entry!.Labels));
    }
}
