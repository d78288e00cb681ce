using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>Checks each byte of requests: a slightly wrong request would delete other entries.</summary>
public sealed class TableRequestTests
{
    private const MessageFlags Acknowledged = MessageFlags.Request | MessageFlags.Ack;

    private static readonly byte[] Tuple =
    [
        .. Messages.Attribute(0x8001, [.. Messages.Attribute(1, 192, 0, 2, 1), .. Messages.Attribute(2, 198, 51, 100, 7)]),
        .. Messages.Attribute(0x8002, [.. Messages.Attribute(1, 6), .. Messages.Attribute(2, 0x0f, 0xa0), .. Messages.Attribute(3, 0, 80)]),
    ];

    private static readonly byte[] Id = Messages.Attribute(12, 0xde, 0xad, 0xbe, 0xef);

    [Theory]
    [InlineData(IPFamily.Unspecified, 0)]
    [InlineData(IPFamily.IPv4, 2)]
    [InlineData(IPFamily.IPv6, 10)]
    public void A_dump_asks_for_one_family_or_all(IPFamily family, byte number) => Assert.Equal(
        Messages.Message(0x101, 0, Acknowledged | MessageFlags.Dump, number, 0, 0, 0),
        TableRequests.Dump(Buffer(), TableKind.Main, new KernelFilter { Family = family }).ToArray());

    [Fact]
    public void Statistics_are_asked_for_without_attributes() =>
        Assert.Equal(Messages.Message(0x105, 0, Acknowledged, 0, 0, 0, 0), TableRequests.GetStats(Buffer()).ToArray());

    [Fact]
    public void A_deletion_names_the_tuple_and_the_id() => Assert.Equal(
        Messages.Message(0x102, 0, MessageFlags.Request, [2, 0, 0, 0, .. Messages.Attribute(0x8001, Tuple), .. Id]),
        Delete(new EntryKey(Entries.Any().Original, 0, null, 0xdeadbeef)));

    [Fact]
    public void A_deletion_names_the_zone()
    {
        byte[] expected =
        [
            2, 0, 0, 0, .. Messages.Attribute(0x8001, Tuple),
            .. Messages.Attribute(18, 0x12, 0x34), .. Id,
        ];
        Assert.Equal(
            Messages.Message(0x102, 0, MessageFlags.Request, expected),
            Delete(new EntryKey(Entries.Any().Original, 0x1234, null, 0xdeadbeef)));
    }

    /// <summary>CTA_TUPLE_REPLY with the original tuple: the attribute selects the direction of the zone.</summary>
    [Theory]
    [InlineData(TupleDirection.Original, 0x8001)]
    [InlineData(TupleDirection.Reply, 0x8002)]
    public void A_zone_of_one_direction_stands_in_the_tuple(TupleDirection direction, int attribute)
    {
        EntryKey key = new(Entries.Any().Original, 0, null, 0xdeadbeef);
        key = direction == TupleDirection.Original ? key with { OriginalZone = 0x1234 } : key with { ReplyZone = 0x1234 };
        Assert.Equal(
            Messages.Message(
                0x102, 0, MessageFlags.Request, [2, 0, 0, 0, .. Messages.Attribute((ushort)attribute, [.. Tuple, .. Messages.Attribute(3, 0x12, 0x34)]), .. Id]),
            Delete(key));
    }

    [Fact]
    public void The_key_of_an_entry_has_all_that_names_it()
    {
        ConntrackEntry entry = Entries.Any().WithZone(TupleDirection.Original, 7);
        (entry.Data.Id, entry.Fields) = (99, entry.Fields | EntryFields.Id);
        Assert.Equal(new EntryKey(entry.Original, 0, 7, 99) { Reply = entry.Reply }, EntryKey.Of(entry));
        Assert.Throws<ArgumentNullException>(() => EntryKey.Of(null!));
    }

    [Fact]
    public void Emptying_everything_has_no_attributes() =>
        Assert.Equal(Messages.Message(0x102, 0, Acknowledged, 0, 0, 0, 0), TableRequests.Flush(Buffer()).ToArray());

    /// <summary>With the empty tuple a kernel without filters refuses the request. Without it, it would delete everything.</summary>
    [Fact]
    public void Emptying_one_family_is_guarded() => Assert.Equal(
        Messages.Message(
            0x102, 0, Acknowledged,
            [10, 1, 0, 0, .. Messages.Attribute(0x8001), .. Messages.Attribute(0x8019, Messages.Attribute(1, 0, 0, 0, 0))]),
        TableRequests.Flush(Buffer(), new KernelFilter { Family = IPFamily.IPv6 }).ToArray());

    private static byte[] Buffer() => new byte[NetlinkBatch.MaximumMessageSize];

    private static byte[] Delete(EntryKey key)
    {
        byte[] buffer = Buffer();
        return buffer[..TableRequests.Delete(buffer, (EntryAddress.Of(key), key.Id!.Value))];
    }
}
