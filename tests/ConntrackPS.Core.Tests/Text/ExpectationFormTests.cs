using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Fuzzing;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;
using ConntrackPS.Text.Writing;

namespace ConntrackPS.Tests.Text;

public class ExpectationFormTests
{
    private const string Masked = "mask-src=255.255.255.255 mask-dst=255.255.255.255 sport=0 dport=65535 master-src=192.0.2.1 master-dst=198.51.100.7 sport=1000 dport=21";

    public static TheoryData<string, ConntrackTextFormat, ConntrackTextDetails, int> Samples => new()
    {
        { "expect-list", ConntrackTextFormat.List, ConntrackTextDetails.None, 8 },
        { "expect-proc", ConntrackTextFormat.Proc, ConntrackTextDetails.None, 8 },
        { "expect-xml", ConntrackTextFormat.Xml, ConntrackTextDetails.None, 7 },
        { "expect-events", ConntrackTextFormat.List, ConntrackTextDetails.None, 18 },
        { "expect-events-timestamp", ConntrackTextFormat.List, ConntrackTextDetails.EventTime, 18 },
        { "expect-events-xml", ConntrackTextFormat.Xml, ConntrackTextDetails.EventTime, 18 },
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public void What_was_printed_comes_back_letter_by_letter(string sample, ConntrackTextFormat format, ConntrackTextDetails details, int count)
    {
        ExpectationForm form = new();
        ExpectationWriter writer = new(format) { Details = details };
        string[] lines = [.. TextSamples.Lines(sample).Where(line => !line.StartsWith("<?", StringComparison.Ordinal) && !line.EndsWith("expect>", StringComparison.Ordinal))];

        Assert.Equal(count, lines.Length);
        Assert.All(lines, line => Assert.Equal(line, writer.Write(Read(form, line))));
    }

    [Fact]
    public void A_listing_has_all_that_conntrack_prints()
    {
        ConntrackExpectation read = Read("299 proto=17 src=198.51.100.0 dst=192.0.2.1 sport=0 dport=1069 mask-src=255.255.255.0 mask-dst=255.255.255.255 sport=0 dport=65535 "
            + "master-src=192.0.2.1 master-dst=198.51.100.7 sport=1069 dport=69 zone=7 PERMANENT,USERSPACE class=2 helper=tftp id=9");

        Assert.Equal((299u, IPProtocol.Udp, IPFamily.IPv4), (read.TimeoutSeconds, read.Protocol, read.AddressFamily));
        Assert.Equal(("198.51.100.0", (ushort?)0, "192.0.2.1", (ushort?)1069), (read.SourceAddress, read.SourcePort, read.DestinationAddress, read.DestinationPort));
        Assert.Equal(("255.255.255.0", (ushort?)0), (read.SourceMask, read.SourcePortMask));
        Assert.Equal(("192.0.2.1", (ushort?)1069, "198.51.100.7", (ushort?)69), (read.MasterSourceAddress, read.MasterSourcePort, read.MasterDestinationAddress, read.MasterDestinationPort));
        Assert.Equal((ExpectationFlags.Permanent | ExpectationFlags.Userspace, 2u, "tftp"), (read.Flags, read.Class, read.Helper));
        Assert.Equal(((ushort?)7, 9u), (read.Zone, read.Id));
        Assert.Null(read.MasterProtocol);
        Assert.Null(read.Extra);
        Assert.Equal("udp 198.51.100.0:0 -> 192.0.2.1:1069 expected by 192.0.2.1:1069 -> 198.51.100.7:69 zone 7", read.ToString());
    }

    [Theory]
    [InlineData("178 l3proto = 2 proto=17 src=198.51.100.10 dst=203.0.113.9 sport=0 dport=49170 sip/audio", "sip", 1u)]
    [InlineData("178 l3proto = 2 proto=17 src=198.51.100.10 dst=203.0.113.9 sport=0 dport=49170 PERMANENT,INACTIVE sip-5061/signalling", "sip-5061", 0u)]
    [InlineData("298 l3proto = 2 proto=6 src=192.0.2.10 dst=198.51.100.10 sport=0 dport=41739 ftp-2121", "ftp-2121", null)]
    [InlineData("133 l3proto = 2 proto=47 src=192.0.2.152 dst=192.0.2.118 srckey=0xa9a0 dstkey=0x6bd8 pptp", "pptp", null)]
    public void The_kernel_does_not_tell_of_masks_and_masters(string line, string helper, uint? number)
    {
        ConntrackExpectation read = Read(line);

        Assert.Equal((helper, number), (read.Helper, read.Class));
        Assert.Equal((null, null, null, null), (read.MasterProtocol, read.MasterSourceAddress, read.MasterSourcePort, read.MasterDestinationAddress));
        Assert.Equal((null, null, null, null), (read.SourceMask, read.SourcePortMask, read.Zone, read.Id));
        Assert.Null(read.Extra);
        Assert.DoesNotContain("expected by", read.ToString(), StringComparison.Ordinal);
        Assert.Equal(line, new ExpectationWriter(ConntrackTextFormat.Proc).Write(read));
        Assert.Throws<IncompleteTupleException>(() => new ExpectationWriter(ConntrackTextFormat.List).Write(read));
        Assert.Throws<IncompleteTupleException>(() => new ExpectationWriter(ConntrackTextFormat.Xml).Write(read));
    }

    [Fact]
    public void Classes_of_helpers_in_user_space_keep_their_names()
    {
        const string Line = "- l3proto = 10 proto=17 src=0000:0000:0000:0000:0000:0000:0000:0000 dst=2001:0db8:0000:0000:0000:0000:0000:0001 sport=547 dport=546 USERSPACE dhcpv6/lease odd";

        ConntrackExpectation read = Read(Line);

        Assert.Equal((null, null, "dhcpv6"), (read.TimeoutSeconds, read.Class, read.Helper));
        Assert.Equal(new Dictionary<string, string> { ["class"] = "lease", ["odd"] = "" }, read.Extra);
        Assert.Equal(Line[..^" odd".Length], new ExpectationWriter(ConntrackTextFormat.Proc).Write(read));
    }

    [Fact]
    public void A_timeout_that_is_over_is_no_number_of_seconds()
    {
        const string Line = "-3 l3proto = 2 proto=6 src=192.0.2.10 dst=198.51.100.10 sport=0 dport=41739 ftp";

        ConntrackExpectation read = Read(Line);

        Assert.Null(read.TimeoutSeconds);
        Assert.Equal(Line, new ExpectationWriter(ConntrackTextFormat.Proc).Write(read));
    }

    [Theory]
    [InlineData("EXPECTING: 299 use=1 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2000", 299u)]
    [InlineData("EXPECTING: - use=1 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2000", null)]
    public void Kernel_2_4_says_EXPECTING(string line, uint? timeout)
    {
        ConntrackExpectation read = Read(line);

        Assert.Equal((timeout, (ushort?)2000), (read.TimeoutSeconds, read.DestinationPort));
        Assert.Equal("1", Assert.Single(read.Extra!).Value);
        Assert.Equal((null, null), (read.Helper, read.Flags));
    }

    [Fact]
    public void Kernel_2_6_first_printed_no_family()
    {
        ConntrackExpectation read = Read("- proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2000");

        Assert.Equal((null, "10.0.0.2", null), (read.TimeoutSeconds, read.DestinationAddress, read.Helper));
    }

    [Fact]
    public void The_cache_of_conntrackd_has_no_timeout_and_says_since_when()
    {
        ConntrackExpectation read = Read("proto=6 src=192.0.2.2 dst=198.51.100.2 sport=0 dport=41739 " + Masked + " helper=ftp [active since 5s]");

        Assert.Equal((null, "ftp", null), (read.TimeoutSeconds, read.Helper, read.Class));
        Assert.Equal(new KeyValuePair<string, string>("active since", "5s"), Assert.Single(read.Extra!));
    }

    [Fact]
    public void A_mask_of_the_destination_is_kept()
    {
        const string Line = "30 proto=17 src=0.0.0.0 dst=192.0.2.186 sport=5353 dport=38407 mask-src=0.0.0.0 mask-dst=0.0.0.0 sport=65535 dport=255 "
            + "master-src=192.0.2.186 master-dst=224.0.0.251 sport=38407 dport=5353 PERMANENT class=0 helper=mdns";

        ConntrackExpectation read = Read(Line);

        Assert.Equal(new Dictionary<string, string> { ["mask-dst"] = "0.0.0.0", ["mask-dport"] = "255" }, read.Extra);
        Assert.Equal(Line, new ExpectationWriter(ConntrackTextFormat.List).Write(read));
    }

    [Theory]
    [InlineData("[1415968843.2363  ]\t    [NEW] 300 proto=6 ", ConntrackEventType.New, 14159688430023630L)]
    [InlineData("[1415968843.236300] [UPDATE] 300 proto=6 ", ConntrackEventType.Update, 14159688432363000L)]
    [InlineData("[1415968843.7     ] [DESTROY] proto=6 ", ConntrackEventType.Destroy, 14159688430000070L)]
    public void An_event_has_its_time(string head, ConntrackEventType type, long ticks)
    {
        ConntrackExpectationEvent read = Assert.IsType<ConntrackExpectationEvent>(Read(head + "src=192.0.2.2 dst=198.51.100.2 sport=0 dport=41739 " + Masked));

        Assert.Equal((type, ticks), (read.EventType, (read.EventTime!.Value.ToUniversalTime() - DateTime.UnixEpoch).Ticks));
        Assert.Equal(DateTimeKind.Local, read.EventTime.Value.Kind);
        Assert.Null(read.Sequence);
    }

    [Fact]
    public void An_event_without_a_time_has_none()
    {
        ConntrackExpectationEvent read = Assert.IsType<ConntrackExpectationEvent>(Read("[NEW] 300 proto=6 src=192.0.2.2 dst=198.51.100.2 sport=0 dport=41739 " + Masked));

        Assert.Null(read.EventTime);
    }

    [Fact]
    public void Words_that_no_property_holds_are_kept()
    {
        ConntrackExpectation read = Read("300 proto=6 src=192.0.2.2 dst=198.51.100.2 sport=0 dport=41739 " + Masked + " class=0 fwmark=0x1 note=\"two words\" empty= VENDOR [MARK x=1] helper=ftp");

        Assert.Equal(
            new Dictionary<string, string> { ["fwmark"] = "0x1", ["note"] = "two words", ["empty"] = "", ["VENDOR"] = "", ["MARK x=1"] = "" }, read.Extra);
        Assert.Equal("ftp", read.Helper);
    }

    [Theory]
    [InlineData("tcp      6 299 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=0 use=1")]
    [InlineData("ipv4     2 udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1")]
    [InlineData("[1795922948.454213]\t    [NEW] udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1")]
    [InlineData("-A -t 9 -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 1")]
    [InlineData("Expectations are printed as proto=6 and so on")]
    [InlineData("proto=6 and src=10.0.0.1")]
    [InlineData("300 people expect this")]
    [InlineData("300")]
    [InlineData("[NEW]")]
    [InlineData("l3proto")]
    [InlineData("<flow><meta direction=\"original\"><layer3 protonum=\"2\" protoname=\"ipv4\"><src>10.0.0.1</src><dst>10.0.0.2</dst></layer3></meta></flow>")]
    [InlineData("<?xml version=\"1.0\" encoding=\"utf-8\"?>")]
    public void Nothing_else_is_taken_for_an_expectation(string line) =>
        Assert.Equal(TextMatch.None, new ExpectationForm().Read(line, out _, out _));

    [Theory]
    [InlineData("300 l3proto = 7 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2", "7", "l3proto = 2 or 10, and the protocol's number: proto=")]
    [InlineData("300 l3proto = 10 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2", "", "addresses of one family")]
    [InlineData("300 proto=256 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2", "proto=256", "the protocol's number: proto=")]
    [InlineData("300 proto=17 src=10.0.0.300 dst=10.0.0.2 sport=0 dport=2", "src=10.0.0.300", "an IPv4 or IPv6 address, once in each tuple")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=65536", "dport=65536", "a number from 0 to 65535, once in each tuple")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 sport=1 dport=2", "sport=1", "a number from 0 to 65535, once in each tuple")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0", "", "dport= of the expectation")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=1 mask-src=255.255.255.255 sport=0", "", "dst= of the mask")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=1 master-src=10.0.0.1 master-dst=::1", "", "addresses of one family")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=1 master-src=10.0.0.1 master-dst=10.0.0.2 sport=1", "", "dport= of the master")]
    [InlineData("300 proto=17 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=1 src=10.0.0.2", "src=10.0.0.2", "an IPv4 or IPv6 address, once in each tuple")]
    [InlineData("EXPECTING: 3 use=1 src=10.0.0.1", "src=10.0.0.1", "proto=")]
    public void What_contradicts_itself_is_refused(string line, string found, string expected)
    {
        Assert.Equal(TextMatch.Faulty, new ExpectationForm().Read(line, out object? item, out TextFault fault));
        Assert.Null(item);
        Assert.Equal((found, expected), (fault.Found, fault.Expected));
        Assert.True(fault.IsBegun);
    }

    [Fact]
    public void ICMP_of_XML_has_no_ports_that_were_not_there()
    {
        ConntrackExpectation read = Read("<flow><layer3 protonum=\"2\" protoname=\"ipv4\"><expected><src>10.0.0.1</src><dst>10.0.0.2</dst></expected></layer3>"
            + "<layer4 protonum=\"1\" protoname=\"icmp\"><expected></expected></layer4><meta><odd>1</odd></meta></flow>");

        Assert.Equal((null, null, null, null), (read.SourcePort, read.DestinationPort, read.SourceMask, read.Class));
        Assert.Equal("1", read.Extra!["odd"]);
    }

    [Theory]
    [InlineData("<flow><expected>")]
    [InlineData("<flow><layer4 protonum=\"6\"><expected><sport>1</sport></expected></layer4></flow>")]
    [InlineData("<flow><layer3><expected><src>10.0.0.1</src><dst>10.0.0.2</dst></expected></layer3></flow>")]
    [InlineData("<flow><layer4 protonum=\"6\"><expected><sport>70000</sport></expected></layer4></flow>")]
    public void XML_that_tells_too_little_is_refused(string element) =>
        Assert.Equal(TextMatch.Faulty, new ExpectationForm().Read(element, out _, out _));

    [Fact]
    public void Mutated_lines_never_throw_and_what_is_read_of_them_can_be_written_and_read_again()
    {
        ExpectationForm form = new();
        ExpectationWriter list = new(ConntrackTextFormat.List) { Details = ConntrackTextDetails.EventTime }, proc = new(ConntrackTextFormat.Proc);
        TextMutator mutator = new([.. Samples.SelectMany(row => TextSamples.Lines((string)row[0]))], 20261129);
        int read = 0;
        for (int run = 0; run < 30_000; run++)
        {
            string line = mutator.Next().Trim();
            if (line.Length == 0 || form.Read(line, out object? item, out TextFault fault) is not TextMatch.Read)
                continue;
            read++;
            ConntrackExpectation first = (ConntrackExpectation)item!;
            if (!first.Expected.IsWhole)
                continue;
            ConntrackExpectation again = Read(form, proc.Write(first));
            Assert.Equal((first.Expected, first.TimeoutSeconds), (again.Expected, again.TimeoutSeconds));

            // XML may tell of any year, lines of seconds of this half of the millennium.
            if (!first.HasMask || !first.HasMaster || first is ConntrackExpectationEvent { EventTime.Year: > 2500 or < 1971 })
                continue;
            again = Read(form, list.Write(first));
            Assert.Equal((first.Expected, first.Mask, first.Master, first.Class, first.Flags ?? 0), (again.Expected, again.Mask, again.Master, again.Class, again.Flags ?? 0));
        }

        Assert.InRange(read, 1000, 29_000);
    }

    [Theory]
    [InlineData("expect-list")]
    [InlineData("expect-proc")]
    [InlineData("expect-events-timestamp")]
    [InlineData("expect-xml")]
    public void Lines_cut_anywhere_never_throw(string sample)
    {
        ExpectationForm form = new();
        foreach (string line in TextSamples.Lines(sample))
        {
            for (int length = 1; length < line.Length; length++)
            {
                if (line[..length].Trim() is { Length: > 0 } cut)
                    form.Read(cut, out _, out _);
            }
        }
    }

    [Fact]
    public void An_endless_line_ends()
    {
        string word = new('x', 3_000_000);
        Assert.Equal(TextMatch.Read, new ExpectationForm().Read($"3 l3proto = 2 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=1 {word} [{word}", out _, out TextFault fault) switch
        {
            TextMatch.Faulty when fault.Expected == "the closing bracket" => TextMatch.Read,
            var other => other,
        });
    }

    private static ConntrackExpectation Read(string line) => Read(new ExpectationForm(), line);

    private static ConntrackExpectation Read(ExpectationForm form, string line)
    {
        TextMatch match = form.Read(line.Trim(), out object? item, out TextFault fault);
        Assert.True(match == TextMatch.Read, $"{match}: found '{fault.Found}', expected {fault.Expected}: {line}");
        return Assert.IsAssignableFrom<ConntrackExpectation>(item);
    }
}
