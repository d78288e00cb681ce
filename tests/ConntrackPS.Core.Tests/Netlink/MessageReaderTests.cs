using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class MessageReaderTests
{
    [Fact]
    public void Messages_come_in_order_with_their_headers()
    {
        byte[] datagram = [.. Messages.Message(0x101, 7, MessageFlags.Multi, 1, 2, 3, 4, 5), .. Messages.Data(8, 0x1234)];
        MessageReader reader = new(datagram);
        Assert.True(reader.TryRead(out NetlinkMessage first));
        Assert.Equal((0x101, 7u, MessageFlags.Multi, 0u), (first.Type, first.Sequence, first.Flags, first.PortId));
        Assert.Equal([1, 2, 3, 4, 5], first.Payload.ToArray());
        Assert.True(reader.TryRead(out NetlinkMessage second));
        Assert.Equal((8u, 2, 0x1234), (second.Sequence, second.NetfilterFamily, second.ResourceId));
        Assert.False(reader.TryRead(out _));
    }

    [Fact]
    public void An_empty_datagram_has_no_message() => Assert.False(new MessageReader([]).TryRead(out _));

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    public void Too_few_bytes_for_a_header_are_a_protocol_error(int length) => AssertRefused(Messages.Data(1)[..length]);

    [Theory]
    [InlineData(0u)]
    [InlineData(15u)]
    [InlineData(21u)]
    [InlineData(0x7fffffffu)]
    [InlineData(0x80000000u)]
    [InlineData(0xffffffffu)]
    public void A_length_that_lies_is_a_protocol_error(uint length)
    {
        byte[] datagram = Messages.Data(1);
        BitConverter.TryWriteBytes(datagram, length);
        AssertRefused(datagram);
    }

    [Fact]
    public void A_message_without_room_for_a_netfilter_header_has_no_attributes()
    {
        byte[] datagram = Messages.Message(Messages.DataType, 1, MessageFlags.None, 2, 0, 0);
        Assert.Throws<NetlinkProtocolException>(() => Read(datagram).NetfilterFamily);
        Assert.Throws<NetlinkProtocolException>(() => Read(datagram).ResourceId);
        Assert.Throws<NetlinkProtocolException>(() => Read(datagram).Attributes.Read());
    }

    [Fact]
    public void Attributes_begin_after_the_netfilter_header()
    {
        AttributeReader attributes = Read(Messages.Message(Messages.DataType, 1, MessageFlags.None, [2, 0, 0, 0, .. Messages.Attribute(9, 1)])).Attributes;
        Assert.True(attributes.Read());
        Assert.Equal(9, attributes.Type);
    }

    private static NetlinkMessage Read(byte[] datagram)
    {
        MessageReader reader = new(datagram);
        Assert.True(reader.TryRead(out NetlinkMessage message));
        return message;
    }

    private static void AssertRefused(byte[] datagram) =>
        Assert.Throws<NetlinkProtocolException>(() => new MessageReader(datagram).TryRead(out _));
}
