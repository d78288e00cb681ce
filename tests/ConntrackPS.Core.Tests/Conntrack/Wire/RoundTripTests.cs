using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>The decoder reads what the encoder writes: random entries, without a kernel.</summary>
public sealed class RoundTripTests(ITestOutputHelper output)
{
    private const ConntrackStatus Nat = ConntrackStatus.SrcNat | ConntrackStatus.DstNat;

    private static readonly string[] ReplyProperties =
    [
        nameof(ConntrackEntry.ReplySourceAddress), nameof(ConntrackEntry.ReplySourcePort), nameof(ConntrackEntry.ReplyDestinationAddress),
        nameof(ConntrackEntry.ReplyDestinationPort), nameof(ConntrackEntry.ReplyIcmpId),
    ];

    private static readonly List<ConntrackEntry> Random =
        new RandomTable(RandomTable.DefaultSeed, [("ftp", IPProtocol.Tcp), ("tftp", IPProtocol.Udp)]).Make(2000);

    [Fact]
    public void An_untranslated_entry_comes_back_as_it_was()
    {
        output.WriteLine($"Seed {RandomTable.DefaultSeed}");
        foreach (ConntrackEntry entry in Random.Where(entry => (entry.Status & Nat) == 0))
            EntryProperties.AssertSame(entry, CapturedMessage.Decode(Encode(entry)));
    }

    /// <summary>The kernel accepts a translation together with the untranslated reply, and creates the translated reply itself.</summary>
    [Fact]
    public void A_translated_entry_is_written_with_its_plain_reply()
    {
        foreach (ConntrackEntry entry in Random.Where(entry => (entry.Status & Nat) != 0))
        {
            ConntrackEntry decoded = CapturedMessage.Decode(Encode(entry));
            Assert.Equal(Entries.FromOriginal(entry.Original).Reply, decoded.Reply);
            Assert.Equal(entry.Status & ~Nat, decoded.Status);
            EntryProperties.AssertSame(entry, decoded, [nameof(ConntrackEntry.Status), .. ReplyProperties]);
        }
    }

    [Fact]
    public void Every_entry_fits_into_a_message()
    {
        ConntrackEntry entry = Entries.Tcp("2001:db8:1111:1111:1111:1111:1111:1", 65535, "2001:db8:2222:2222:2222:2222:2222:2", 65535)
            .WithSourceNat("2001:db8::1", 1).WithDestinationNat("2001:db8::2", 2).WithState(ConntrackState.Established);
        entry.Fields |= EntryFields.OriginalTcpFlags | EntryFields.ReplyTcpFlags | EntryFields.OriginalWindowScale | EntryFields.ReplyWindowScale;
        (entry.Mark, entry.Zone) = (uint.MaxValue, ushort.MaxValue);
        EntryDetails details = entry.MakeDetails();
        details.Labels = new LabelBits(ulong.MaxValue, ulong.MaxValue);
        details.Helper = new string('h', 16);
        details.Master = entry.Original;
        details.OriginalSequence = details.ReplySequence = new SequenceAdjustment(1, 2, 3);
        (details.SynproxyIsn, details.SynproxyIts, details.SynproxyTimestampOffset) = (1, 2, 3);
        Assert.InRange(Encode(entry).Length, 500, NetlinkBatch.MaximumMessageSize / 2);
    }

    /// <summary>An entry that was read from the kernel must not lead to a status that the kernel refuses.</summary>
    [Fact]
    public void Status_bits_that_cannot_be_set_are_left_out()
    {
        ConntrackEntry entry = Entries.Any();
        entry.Status = (ConntrackStatus)0xffff & ~Nat;
        Assert.Equal(
            ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.Confirmed | ConntrackStatus.FixedTimeout,
            CapturedMessage.Decode(Encode(entry)).Status);
    }

    private static byte[] Encode(ConntrackEntry entry)
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        return buffer[..EntryEncoder.Create(buffer, entry, MessageFlags.Create)];
    }
}
