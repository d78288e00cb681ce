using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack;

/// <summary>The reply tuple of an original tuple: with given parts, with translated parts, or unchanged.</summary>
public sealed class EntryTuplesTests
{
    private static readonly ConntrackTuple Tcp = Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 80).Original;

    [Fact]
    public void Without_more_the_reply_is_the_original_the_other_way_round() =>
        Assert.Equal("tcp 198.51.100.7:80 -> 192.0.2.1:4000", new EntryTuples { Original = Tcp }.MakeReply().ToString());

    [Fact]
    public void A_translated_source_is_where_replies_go_to()
    {
        EntryTuples tuples = new() { Original = Tcp, TranslatedSource = HostAddress.Parse("203.0.113.1"), TranslatedSourcePort = 1025 };
        Assert.Equal("tcp 198.51.100.7:80 -> 203.0.113.1:1025", tuples.MakeReply().ToString());
        Assert.Equal(ConntrackStatus.SrcNat, tuples.TranslationStatus);
    }

    [Fact]
    public void A_translated_destination_is_where_replies_come_from()
    {
        EntryTuples tuples = new() { Original = Tcp, TranslatedDestination = HostAddress.Parse("10.0.0.5") };
        Assert.Equal("tcp 10.0.0.5:80 -> 192.0.2.1:4000", tuples.MakeReply().ToString());
        Assert.Equal(ConntrackStatus.DstNat, tuples.TranslationStatus);
    }

    [Fact]
    public void A_reply_that_is_given_is_no_translation()
    {
        EntryTuples tuples = new() { Original = Tcp, ReplySource = HostAddress.Parse("10.0.0.5"), ReplySourcePort = 8080, ReplyDestinationPort = 4001 };
        Assert.Equal("tcp 10.0.0.5:8080 -> 192.0.2.1:4001", tuples.MakeReply().ToString());
        Assert.Equal(ConntrackStatus.None, tuples.TranslationStatus);
    }

    [Fact]
    public void An_echo_request_is_answered_by_a_reply_of_the_same_id()
    {
        ConntrackTuple reply = new EntryTuples { Original = Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77).Original }.MakeReply();
        Assert.Equal((77, 0), (reply.SourcePort, reply.DestinationPort >> 8));
    }

    [Fact]
    public void An_ICMP_message_without_a_reply_is_refused() =>
        Assert.Contains(
            "no reply to ICMP type 3",
            Assert.Throws<FormatException>(() => new EntryTuples
            {
                Original = Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77).Original with { DestinationPort = 3 << 8 },
            }.MakeReply()).Message,
            StringComparison.Ordinal);

    [Fact]
    public void An_address_of_the_other_family_is_refused() =>
        Assert.Throws<FormatException>(() => new EntryTuples { Original = Tcp, TranslatedSource = HostAddress.Parse("2001:db8::1") }.MakeReply());
}
