using System.Text;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class AttributeReaderTests
{
    [Fact]
    public void Attributes_come_in_order_without_padding_and_flags()
    {
        // NLA_F_NESTED | NLA_F_NET_BYTEORDER | 2.
        byte[] bytes = [.. Messages.Attribute(1, 0xaa), .. Messages.Attribute(0xc002, 1, 2, 3, 4, 5), .. Messages.Attribute(3)];
        AttributeReader reader = new(bytes);
        Assert.True(reader.Read());
        Assert.Equal((1, 1), (reader.Type, reader.Value.Length));
        Assert.True(reader.Read());
        Assert.Equal((2, 5), (reader.Type, reader.Value.Length));
        Assert.True(reader.Read());
        Assert.Equal((3, 0), (reader.Type, reader.Value.Length));
        Assert.False(reader.Read());
        Assert.False(reader.Read());
    }

    [Fact]
    public void The_last_attribute_may_lack_its_padding()
    {
        AttributeReader reader = new(Messages.Attribute(1, 0xaa).AsSpan(0, 5));
        Assert.True(reader.Read());
        Assert.Equal(0xaa, reader.Byte);
        Assert.False(reader.Read());
    }

    [Fact]
    public void Numbers_are_big_endian_but_for_the_host_s()
    {
        AttributeReader reader = new(Messages.Attribute(1, 1, 2, 3, 4, 5, 6, 7, 8));
        reader.Read();
        Assert.Equal(0x01, reader.Byte);
        Assert.Equal(0x0102, reader.UInt16);
        Assert.Equal(0x01020304u, reader.UInt32);
        Assert.Equal(0x0102030405060708UL, reader.UInt64);
        Assert.Equal(BitConverter.ToUInt32([1, 2, 3, 4]), reader.HostUInt32);
    }

    [Fact]
    public void A_nest_is_read_by_a_reader_of_its_own()
    {
        AttributeReader outer = new([.. Messages.Attribute(0x8001, Messages.Attribute(7, 0x55)), .. Messages.Attribute(2)]);
        outer.Read();
        AttributeReader inner = outer.Nested;
        Assert.True(inner.Read());
        Assert.Equal((7, 0x55), (inner.Type, inner.Byte));
        Assert.False(inner.Read());
        Assert.True(outer.Read());
        Assert.Equal(2, outer.Type);
    }

    [Theory]
    [InlineData("ftp\0", "ftp")]
    [InlineData("ftp", "ftp")]
    [InlineData("ftp\0rest", "ftp")]
    [InlineData("", "")]
    [InlineData("\0", "")]
    public void Text_ends_at_its_NUL_or_at_the_end(string value, string expected)
    {
        AttributeReader reader = new(Messages.Attribute(1, Encoding.UTF8.GetBytes(value)));
        reader.Read();
        Assert.Equal(expected, reader.Text);
    }

    [Fact]
    public void Text_that_is_not_UTF_8_is_no_error()
    {
        AttributeReader reader = new(Messages.Attribute(1, 0xff, 0xfe));
        reader.Read();
        Assert.Equal("\ufffd\ufffd", reader.Text);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    [InlineData(100)]
    [InlineData(0xffff)]
    public void A_length_that_lies_is_a_protocol_error(int length)
    {
        byte[] bytes = Messages.Attribute(1, 1, 2, 3, 4);
        BitConverter.TryWriteBytes(bytes, (ushort)length);
        Assert.Throws<NetlinkProtocolException>(() => new AttributeReader(bytes).Read());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Too_few_bytes_for_a_header_are_a_protocol_error(int length) =>
        Assert.Throws<NetlinkProtocolException>(() => new AttributeReader(new byte[length]).Read());

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(7)]
    public void A_value_too_short_for_its_number_is_a_protocol_error(int length)
    {
        byte[] bytes = Messages.Attribute(5, new byte[length]);
        AssertTooShort(length < 1, () => Attribute(bytes).Byte);
        AssertTooShort(length < 2, () => Attribute(bytes).UInt16);
        AssertTooShort(length < 4, () => Attribute(bytes).UInt32);
        AssertTooShort(length < 4, () => Attribute(bytes).HostUInt32);
        AssertTooShort(length < 8, () => Attribute(bytes).UInt64);
    }

    private static AttributeReader Attribute(byte[] bytes)
    {
        AttributeReader reader = new(bytes);
        reader.Read();
        return reader;
    }

    private static void AssertTooShort<T>(bool isTooShort, Func<T> read)
    {
        Exception? exception = Record.Exception(() => _ = read());
        if (isTooShort)
            Assert.Contains("attribute 5", Assert.IsType<NetlinkProtocolException>(exception).Message, StringComparison.Ordinal);
        else
            Assert.Null(exception);
    }
}
