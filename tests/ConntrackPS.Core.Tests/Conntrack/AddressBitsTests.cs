using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack;

public sealed class AddressBitsTests
{
    /// <summary>RFC 5952: lower case, no leading zeros, the longest run of zeros shortened, the first of equal runs, never a single
    /// zero.</summary>
    [Theory]
    [InlineData("2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1")]
    [InlineData("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1")]
    [InlineData("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1")]
    [InlineData("2001:0:0:1:0:0:0:1", "2001:0:0:1::1")]
    [InlineData("2001:db8:1:2:3:4:5:0", "2001:db8:1:2:3:4:5:0")]
    [InlineData("2001:db8:1:2:3:4:0:0", "2001:db8:1:2:3:4::")]
    [InlineData("0:0:0:0:0:0:0:0", "::")]
    [InlineData("0:0:0:0:0:0:0:1", "::1")]
    [InlineData("::ffff:192.0.2.33", "::ffff:192.0.2.33")]
    [InlineData("::FFFF:C000:221", "::ffff:192.0.2.33")]
    [InlineData("64:ff9b::192.0.2.33", "64:ff9b::c000:221")]
    [InlineData("fe80::1", "fe80::1")]
    [InlineData("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    public void IPv6_is_written_as_RFC_5952_wants_it(string text, string expected)
    {
        Assert.True(AddressBits.TryParse(text, out IPFamily family, out AddressBits address));
        Assert.Equal(IPFamily.IPv6, family);
        Assert.Equal(expected, address.ToString(family));
    }

    [Theory]
    [InlineData("0.0.0.0", 0)]
    [InlineData("192.0.2.1", 0xc0000201)]
    [InlineData("255.255.255.255", 0xffffffff)]
    public void IPv4_stands_in_the_lowest_32_bits(string text, ulong low)
    {
        Assert.True(AddressBits.TryParse(text, out IPFamily family, out AddressBits address));
        Assert.Equal((IPFamily.IPv4, new AddressBits(0, low)), (family, address));
        Assert.Equal(text, address.ToString(family));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("10.1")]
    [InlineData("10")]
    [InlineData("167772161")]
    [InlineData("0x0a000001")]
    [InlineData("1.2.3.256")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.3.")]
    [InlineData("1.2.3.-4")]
    [InlineData("1.2.3.4%eth0")]
    [InlineData("fe80::1%eth0")]
    [InlineData("fe80::1%1")]
    [InlineData("[::1]")]
    [InlineData("[::1]:80")]
    [InlineData("1.2.3.4:80")]
    [InlineData("::1::2")]
    [InlineData("2001:db8::12345")]
    [InlineData("2001:db8::/32")]
    [InlineData("2001:db8::1/128")]
    [InlineData("1:2:3:4:5:6:7")]
    [InlineData("1:2:3:4:5:6:7:8:9")]
    [InlineData("router.example")]
    [InlineData("::g")]
    public void What_is_no_address_is_refused(string text) =>
        Assert.False(AddressBits.TryParse(text, out _, out _));

    /// <summary>.NET reads 010 as 8 and 0x10 as 16. A user who writes this means 10, or made an error.</summary>
    [Theory]
    [InlineData("010.0.0.1")]
    [InlineData("10.0.0.01")]
    [InlineData("10.0.0.00")]
    [InlineData("0x0a.0.0.1")]
    [InlineData("10.0.0.0x1")]
    [InlineData("::ffff:010.0.0.1")]
    public void Octal_and_hexadecimal_parts_are_refused_and_never_another_address(string text) =>
        Assert.False(AddressBits.TryParse(text, out _, out _));

    [Theory]
    [InlineData(" 10.0.0.1")]
    [InlineData("10.0.0.1 ")]
    [InlineData("10.0. 0.1")]
    [InlineData("::1 ")]
    public void Spaces_are_no_part_of_an_address(string text) =>
        Assert.False(AddressBits.TryParse(text, out _, out _));

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(15)]
    [InlineData(17)]
    public void Bytes_of_another_length_are_a_protocol_error(int length) =>
        Assert.Throws<NetlinkProtocolException>(() => AddressBits.FromBytes(new byte[length]));

    [Theory]
    [InlineData("192.0.2.1", 4)]
    [InlineData("2001:db8:1:2:3:4:5:6", 16)]
    public void Bytes_come_back_as_they_went(string text, int length)
    {
        (IPFamily family, AddressBits address) = Entries.Address(text);
        byte[] bytes = new byte[16];
        Assert.Equal(length, address.CopyTo(family, bytes));
        Assert.Equal(System.Net.IPAddress.Parse(text).GetAddressBytes(), bytes[..length]);
        Assert.Equal(address, AddressBits.FromBytes(bytes.AsSpan(0, length)));
    }

    [Fact]
    public void Addresses_sort_as_numbers()
    {
        AddressBits[] sorted = [new(0, 9), new(0, 10), new(0, ulong.MaxValue), new(1, 0), new(ulong.MaxValue, 0)];
        Assert.Equal(sorted, sorted.Reverse().Order());
        Assert.True(sorted[0] < sorted[1] && sorted[3] > sorted[2] && sorted[0] <= sorted[1] && sorted[4] >= sorted[3]);
        Assert.False(sorted[1] < sorted[0] || sorted[2] > sorted[3] || sorted[1] <= sorted[0] || sorted[3] >= sorted[4]);
    }
}
