using System.Buffers.Binary;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Netlink;

/// <summary>Attribute headers as machines of either byte order write and read them.</summary>
public class AttributeHeaderTests
{
    [Theory]
    [InlineData(20, 0x8001)]
    [InlineData(5, 1)]
    [InlineData(0xfffc, 0xc002)]
    [InlineData(0x0102, 0x0304)]
    public void Length_and_type_are_told_apart_in_either_order(int length, int type)
    {
        // struct nlattr: two consecutive 16-bit numbers in host byte order.
        byte[] little = new byte[4], big = new byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(little, (ushort)length);
        BinaryPrimitives.WriteUInt16LittleEndian(little.AsSpan(2), (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(big, (ushort)length);
        BinaryPrimitives.WriteUInt16BigEndian(big.AsSpan(2), (ushort)type);

        // The value that each machine gets when it reads them as one number.
        uint wordOfLittle = BinaryPrimitives.ReadUInt32LittleEndian(little), wordOfBig = BinaryPrimitives.ReadUInt32BigEndian(big);

        Assert.Equal((length, type), (AttributeHeader.LengthOf(wordOfLittle, isLittleEndian: true), AttributeHeader.TypeOf(wordOfLittle, isLittleEndian: true)));
        Assert.Equal((length, type), (AttributeHeader.LengthOf(wordOfBig, isLittleEndian: false), AttributeHeader.TypeOf(wordOfBig, isLittleEndian: false)));
        Assert.Equal(wordOfLittle, AttributeHeader.Word((ushort)length, (ushort)type, isLittleEndian: true));
        Assert.Equal(wordOfBig, AttributeHeader.Word((ushort)length, (ushort)type, isLittleEndian: false));
    }

    [Fact]
    public void This_machine_s_order_is_taken_unless_told_otherwise()
    {
        byte[] bytes = new byte[4];
        BitConverter.TryWriteBytes(bytes, (ushort)20);
        BitConverter.TryWriteBytes(bytes.AsSpan(2), (ushort)0x8001);

        Assert.Equal(BitConverter.ToUInt32(bytes), AttributeHeader.Word(20, 0x8001));
    }
}
