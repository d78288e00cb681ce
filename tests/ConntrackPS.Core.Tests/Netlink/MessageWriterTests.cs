using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class MessageWriterTests
{
    // Not zero, to detect bytes that the writer forgets to clear.
    private static byte[] Dirty(int length) => [.. Enumerable.Repeat((byte)0xee, length)];

    [Fact]
    public void A_message_has_both_headers_and_its_length()
    {
        MessageWriter writer = new(Dirty(64));
        writer.BeginMessage(0x102, MessageFlags.Ack, family: 10, version: 1, resourceId: 0x1234);
        writer.EndMessage();
        Assert.Equal(
            Messages.Message(0x102, 0, MessageFlags.Request | MessageFlags.Ack, 10, 1, 0x12, 0x34),
            writer.Written.ToArray());
    }

    [Fact]
    public void Numbers_are_big_endian_but_for_the_host_s()
    {
        MessageWriter writer = new(Dirty(64));
        writer.PutByte(1, 0x01);
        writer.PutUInt16(2, 0x0102);
        writer.PutUInt32(3, 0x01020304);
        writer.PutUInt64(4, 0x0102030405060708);
        writer.PutHostUInt32(5, 0x01020304);
        byte[] expected =
        [
            .. Messages.Attribute(1, 1), .. Messages.Attribute(2, 1, 2), .. Messages.Attribute(3, 1, 2, 3, 4),
            .. Messages.Attribute(4, 1, 2, 3, 4, 5, 6, 7, 8), .. Messages.Attribute(5, BitConverter.GetBytes(0x01020304)),
        ];
        Assert.Equal(expected, writer.Written.ToArray());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(17)]
    public void Values_are_padded_with_zeros(int length)
    {
        byte[] value = [.. Enumerable.Range(1, length).Select(number => (byte)number)];
        MessageWriter writer = new(Dirty(64));
        writer.Put(6, value);
        Assert.Equal(Messages.Attribute(6, value), writer.Written.ToArray());
    }

    [Fact]
    public void Text_ends_with_a_NUL()
    {
        MessageWriter writer = new(Dirty(64));
        writer.PutText(1, "ftp");
        writer.PutText(1, "ü");
        Assert.Equal(
            [.. Messages.Attribute(1, (byte)'f', (byte)'t', (byte)'p', 0), .. Messages.Attribute(1, 0xc3, 0xbc, 0)],
            writer.Written.ToArray());
    }

    [Fact]
    public void Nests_have_the_length_of_all_that_is_in_them()
    {
        MessageWriter writer = new(Dirty(64));
        MessageWriter.Nest outer = writer.BeginNest(1);
        MessageWriter.Nest inner = writer.BeginNest(2);
        writer.PutByte(3, 5);
        writer.EndNest(inner);
        writer.PutByte(4, 6);
        writer.EndNest(outer);
        writer.EndNest(writer.BeginNest(7));
        byte[] expected =
        [
            .. Messages.Attribute(0x8001, [.. Messages.Attribute(0x8002, Messages.Attribute(3, 5)), .. Messages.Attribute(4, 6)]),
            .. Messages.Attribute(0x8007),
        ];
        Assert.Equal(expected, writer.Written.ToArray());
    }

    [Fact]
    public void Each_of_several_messages_has_its_own_length()
    {
        MessageWriter writer = new(Dirty(64));
        writer.BeginMessage(0x100, MessageFlags.None, 2);
        writer.EndMessage();
        writer.BeginMessage(0x101, MessageFlags.None, 2);
        writer.PutUInt32(1, 1);
        writer.EndMessage();
        MessageReader reader = new(writer.Written);
        Assert.True(reader.TryRead(out NetlinkMessage first));
        Assert.Equal((0x100, 20), (first.Type, first.Bytes.Length));
        Assert.True(reader.TryRead(out NetlinkMessage second));
        Assert.Equal((0x101, 28), (second.Type, second.Bytes.Length));
        Assert.False(reader.TryRead(out _));
    }

    /// <summary>The callers' buffers hold every existing message. A longer one is a programming error, and never an overrun.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(7)]
    public void A_full_buffer_is_an_error_and_nothing_is_written_past_it(int room)
    {
        byte[] memory = Dirty(room + 8);
        Assert.Throws<ArgumentOutOfRangeException>(() => new MessageWriter(memory.AsSpan(0, room)).PutUInt32(1, 1));
        Assert.Equal(Dirty(8), memory[room..]);
    }
}
