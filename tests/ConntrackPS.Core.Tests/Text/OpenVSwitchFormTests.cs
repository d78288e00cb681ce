using ConntrackPS.Conntrack;
using ConntrackPS.Fuzzing;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Tests.Text;

public class OpenVSwitchFormTests
{
    private const string Plain = "tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=36964,dport=80),reply=(src=10.1.1.1,dst=10.1.1.2,sport=80,dport=36964),protoinfo=(state=ESTABLISHED)";
    private const string Full = "tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=36964,dport=80,packets=6,bytes=412),reply=(src=10.1.1.1,dst=198.51.100.1,sport=80,dport=36964,packets=5,bytes=900),"
        + "start=2026-11-29T03:29:08.454,id=1234567,zone=5,status=SEEN_REPLY|ASSURED|CONFIRMED|SRC_NAT|SRC_NAT_DONE,timeout=431999,mark=256,labels=0x800000000000000000000000000001,helper=ftp,"
        + "protoinfo=(state_orig=ESTABLISHED,state_reply=ESTABLISHED,wscale_orig=7,wscale_reply=0,flags_orig=WINDOW_SCALE|SACK_PERM|MAXACK_SET,flags_reply=SACK_PERM)";

    private static readonly string[] Lines =
    [
        Plain, Full,
        "icmp,orig=(src=10.1.1.2,dst=10.1.1.1,id=4711,type=8,code=0),reply=(src=10.1.1.1,dst=10.1.1.2,id=4711,type=0,code=0),zone=5",
        "icmpv6,orig=(src=fc00::1,dst=fc00::2,id=7,type=128,code=0),reply=(src=fc00::2,dst=fc00::1,id=7,type=129,code=0)",
        "udp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2),reply=(src=10.1.1.1,dst=10.1.1.2,sport=2,dport=1),parent=(src=10.1.1.2,dst=10.1.1.9,sport=3,dport=4)",
        "sctp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2),reply=(src=10.1.1.1,dst=10.1.1.2,sport=2,dport=1),protoinfo=(state=COOKIE_ECHOED,vtag_orig=11,vtag_reply=12)",
        "47,orig=(src=10.1.1.2,dst=10.1.1.1,sport=0,dport=0),reply=(src=10.1.1.1,dst=10.1.1.2,sport=0,dport=0),mark=0x1",
    ];

    [Fact]
    public void All_that_m_and_s_print_is_read()
    {
        ConntrackEntry read = Read(Full);

        Assert.Equal((IPProtocol.Tcp, "10.1.1.2", (ushort?)36964, "10.1.1.1", (ushort?)80), (read.Protocol, read.SourceAddress, read.SourcePort, read.DestinationAddress, read.DestinationPort));
        Assert.Equal(("10.1.1.1", (ushort?)80, "198.51.100.1", (ushort?)36964), (read.ReplySourceAddress, read.ReplySourcePort, read.ReplyDestinationAddress, read.ReplyDestinationPort));
        Assert.Equal((6UL, 412UL, 5UL, 900UL), (read.OriginalPackets, read.OriginalBytes, read.ReplyPackets, read.ReplyBytes));
        Assert.Equal((1234567u, (ushort)5, 431999u, 256u, "ftp"), (read.Id, read.Zone, read.TimeoutSeconds, read.Mark, read.Helper));
        Assert.Equal(new DateTime(2026, 11, 29, 3, 29, 8, 454, DateTimeKind.Local), read.StartTime);
        Assert.Equal(
            ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.Confirmed | ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone, read.Status);
        Assert.Equal((ConntrackState.Established, (byte?)7, (byte?)0), (read.State, read.OriginalWindowScale, read.ReplyWindowScale));
        Assert.Equal((TcpTrackingFlags.WindowScale | TcpTrackingFlags.SackPerm | TcpTrackingFlags.MaxackSet, TcpTrackingFlags.SackPerm), (read.OriginalTcpFlags, read.ReplyTcpFlags));
        Assert.Equal([0, 119], read.Details!.Labels!.Value.SetBits());
        Assert.Null(read.Details.Extra);
    }

    [Fact]
    public void What_is_not_printed_is_unknown()
    {
        ConntrackEntry read = Read(Plain);

        Assert.Equal((null, null, null, null), (read.OriginalPackets, read.TimeoutSeconds, read.StartTime, read.Id));
        Assert.Equal((null, null, null), (read.OriginalWindowScale, read.OriginalTcpFlags, read.Helper));
        Assert.Equal(ConntrackStatus.Confirmed | ConntrackStatus.SeenReply, read.Status);
        Assert.Equal(ConntrackStatus.Confirmed, Read(Lines[2]).Status);
        Assert.Equal(
            ConntrackStatus.Confirmed | ConntrackStatus.DstNat | ConntrackStatus.DstNatDone,
            Read("udp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2),reply=(src=10.1.1.9,dst=10.1.1.2,sport=2,dport=1)").Status);
    }

    [Fact]
    public void ICMP_has_its_numbers()
    {
        ConntrackEntry read = Read(Lines[2]), six = Read(Lines[3]);

        Assert.Equal(((byte?)8, (byte?)0, (ushort?)4711, (byte?)0), (read.IcmpType, read.IcmpCode, read.IcmpId, read.ReplyIcmpType));
        Assert.Equal((IPFamily.IPv6, (byte?)128, (byte?)129), (six.AddressFamily, six.IcmpType, six.ReplyIcmpType));
    }

    [Fact]
    public void The_protocol_may_be_a_number_and_have_no_ports()
    {
        ConntrackEntry read = Read(Lines[6]);

        Assert.Equal((IPProtocol.Gre, null, null, 1u), (read.Protocol, read.GreSourceKey, read.SourcePort, read.Mark));
    }

    [Fact]
    public void States_that_the_kernel_has_not_are_kept_as_they_are()
    {
        Assert.Equal((ConntrackState.FinWait, "FIN_WAIT_1"), Of("state=FIN_WAIT_1"));
        Assert.Equal((ConntrackState.Close, "CLOSING"), Of("state_orig=CLOSING,state_reply=CLOSING"));
        Assert.Equal((null, "FIN_WAIT_2"), Of("state=FIN_WAIT_2"));

        ConntrackEntry differing = Read(Plain.Replace("state=ESTABLISHED", "state_orig=FIN_WAIT_1,state_reply=CLOSE_WAIT,odd=1", StringComparison.Ordinal));
        Assert.Null(differing.State);
        Assert.Equal(
            new Dictionary<string, string> { ["state_orig"] = "FIN_WAIT_1", ["state_reply"] = "CLOSE_WAIT", ["odd"] = "1" }, differing.Details!.Extra);

        static (ConntrackState?, string?) Of(string text)
        {
            ConntrackEntry read = Read(Plain.Replace("state=ESTABLISHED", text, StringComparison.Ordinal));
            return (read.State, read.Details?.Extra?["state"]);
        }
    }

    [Fact]
    public void The_state_of_SCTP_is_the_kernels()
    {
        ConntrackEntry read = Read(Lines[5]);

        Assert.Equal((ConntrackState.CookieEchoed, 11u, 12u), (read.State, read.OriginalVerificationTag, read.ReplyVerificationTag));
    }

    [Fact]
    public void Words_that_no_property_holds_are_kept()
    {
        ConntrackEntry read = Read(Lines[4] + ",offloaded=yes,dp_hash=0x1,OFFLOAD,status=SEEN_REPLY|VENDOR");

        Assert.Equal(
            new Dictionary<string, string> { ["parent"] = "src=10.1.1.2,dst=10.1.1.9,sport=3,dport=4", ["offloaded"] = "yes", ["dp_hash"] = "0x1", ["OFFLOAD"] = "", ["status"] = "VENDOR" },
            read.Details!.Extra);
        Assert.Null(read.MasterProtocol);
        Assert.Equal(ConntrackStatus.SeenReply, read.Status);
    }

    [Theory]
    [InlineData("tcp      6 299 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1")]
    [InlineData("tcp,udp and others")]
    [InlineData("tcp,orig=")]
    [InlineData(",orig=(src=10.1.1.2)")]
    [InlineData("recirc_id(0),in_port(2),ct_state(-new),eth(),eth_type(0x0800),ipv4(frag=no), packets:5, bytes:490, used:0.9s, actions:ct(zone=5)")]
    public void Nothing_else_is_taken_for_one(string line) => Assert.Equal(TextMatch.None, new OpenVSwitchForm().Read(line, out _, out _));

    [Theory]
    [InlineData("tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2)", "", "src= in reply=(...)")]
    [InlineData("tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1),reply=(src=10.1.1.1,dst=10.1.1.2,sport=2,dport=1)", "", "dport= in orig=(...)")]
    [InlineData("tcp,orig=(src=10.1.1.300,dst=10.1.1.1,sport=1,dport=2)", "orig=(src=10.1.1.300,dst=10.1.1.1,sport=1,dport=2)", "an IPv4 or IPv6 address, once in each direction")]
    [InlineData("tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=70000,dport=2)", "orig=(src=10.1.1.2,dst=10.1.1.1,sport=70000,dport=2)", "numbers in their ranges, once in each direction")]
    [InlineData("icmp,orig=(src=10.1.1.2,dst=10.1.1.1,id=1,type=256,code=0)", "orig=(src=10.1.1.2,dst=10.1.1.1,id=1,type=256,code=0)", "numbers in their ranges, once in each direction")]
    [InlineData("tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2),reply=(src=fc00::1,dst=fc00::2,sport=2,dport=1)", "", "four addresses of one family")]
    [InlineData("tcp,orig=(src=10.1.1.2,dst=10.1.1.1", "orig=(src=10.1.1.2,dst=10.1.1.1", "the closing parenthesis")]
    [InlineData("nosuch,orig=(src=10.1.1.2)", "nosuch", "a protocol such as tcp, or its number")]
    [InlineData("udp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2),reply=(src=10.1.1.1,dst=10.1.1.2,sport=2,dport=1),zone=70000", "zone=70000", "a zone from 0 to 65535")]
    [InlineData("udp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=1,dport=2),reply=(src=10.1.1.1,dst=10.1.1.2,sport=2,dport=1),labels=1", "labels=1", "labels such as 0x1")]
    public void What_contradicts_itself_is_refused(string line, string found, string expected)
    {
        Assert.Equal(TextMatch.Faulty, new OpenVSwitchForm().Read(line, out object? item, out TextFault fault));
        Assert.Null(item);
        Assert.Equal((found, expected), (fault.Found, fault.Expected));
    }

    [Fact]
    public void Mutated_and_cut_lines_never_throw()
    {
        OpenVSwitchForm form = new();
        TextMutator mutator = new(Lines, 20261129);
        int read = 0;
        for (int run = 0; run < 40_000; run++)
        {
            if (mutator.Next().Trim() is not { Length: > 0 } line || form.Read(line, out object? item, out _) != TextMatch.Read)
                continue;
            read++;
            ConntrackEntry entry = Assert.IsType<ConntrackEntry>(item);
            PropertyReading.ReadAll(entry);
            Assert.True(entry.Original.IsWhole && entry.Reply.IsWhole);
        }

        Assert.InRange(read, 1000, 39_000);
        foreach (string line in Lines)
        {
            for (int length = 1; length < line.Length; length++)
                form.Read(line.AsSpan(0, length), out _, out _);
        }

        form.Read("tcp,orig=(" + new string('(', 2_000_000), out _, out _);
        form.Read("tcp,orig=(src=1.2.3.4)" + string.Concat(Enumerable.Repeat(",a=(b", 300_000)), out _, out _);
    }

    private static ConntrackEntry Read(string line)
    {
        TextMatch match = new OpenVSwitchForm().Read(line, out object? item, out TextFault fault);
        Assert.True(match == TextMatch.Read, $"{match}: found '{fault.Found}', expected {fault.Expected}: {line}");
        return Assert.IsType<ConntrackEntry>(item);
    }
}
