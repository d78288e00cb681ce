using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Nftables;

namespace ConntrackPS.Tests.Nftables;

public sealed class ValueRangesTests
{
    [Theory]
    [InlineData("80,443", "80-80 443-443")]
    [InlineData("443,80,80", "80-80 443-443")]
    [InlineData("80-90,85-100,101,103", "80-101 103-103")]
    [InlineData("0-65535,7", "0-65535")]
    [InlineData("65535,65534,0", "0-0 65534-65535")]
    public void Ranges_that_touch_or_overlap_become_one(string ports, string expected) =>
        Assert.Equal(expected, Show(ValueRanges.Of(ports.Split(',').Select(PortRange.Parse))));

    [Theory]
    [InlineData("192.0.2.0/25,192.0.2.128/25", 4, "c0000200-c00002ff")]
    [InlineData("255.255.255.255,0.0.0.0", 4, "00000000-00000000 ffffffff-ffffffff")]
    [InlineData("0.0.0.0/0", 4, "00000000-ffffffff")]
    public void Addresses_become_ranges_of_their_bytes(string addresses, int length, string expected)
    {
        ValueRanges ranges = ValueRanges.Of(IPFamily.IPv4, addresses.Split(',').Select(AddressPrefix.Parse));
        Assert.Equal(length, ranges.Length);
        Assert.Equal(expected, string.Join(' ', ranges.Ranges.Select(range => $"{Hex(ranges, range.First)}-{Hex(ranges, range.Last)}")));
    }

    [Theory]
    [InlineData("192.0.2.0/25,192.0.2.128/25", "192.0.2.0/24")]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("192.0.2.0/31,192.0.2.2", "192.0.2.0-192.0.2.2")]
    [InlineData("192.0.2.1,192.0.2.2", "192.0.2.1-192.0.2.2")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("128.0.0.0/1,10.0.0.0/8", "10.0.0.0/8, 128.0.0.0/1")]
    public void Nft_reads_prefixes_as_prefixes(string addresses, string expected) =>
        Assert.Equal(expected, ValueRanges.Of(IPFamily.IPv4, addresses.Split(',').Select(AddressPrefix.Parse)).ToNft());

    [Theory]
    [InlineData("2001:db8::/32", "2001:db8::/32")]
    [InlineData("::/0", "::/0")]
    [InlineData("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127")]
    public void Nft_reads_prefixes_of_IPv6(string address, string expected) =>
        Assert.Equal(expected, ValueRanges.Of(IPFamily.IPv6, [AddressPrefix.Parse(address)]).ToNft());

    [Fact]
    public void Nft_reads_ports_as_ranges() =>
        Assert.Equal("0-65535", ValueRanges.Of([new PortRange(0, 65535)]).ToNft());

    [Fact]
    public void Each_family_takes_its_own_addresses()
    {
        AddressPrefix[] prefixes = [AddressPrefix.Parse("192.0.2.1"), AddressPrefix.Parse("ffff::/16")];
        ValueRanges six = ValueRanges.Of(IPFamily.IPv6, prefixes);
        (UInt128 first, UInt128 last) = Assert.Single(six.Ranges);
        Assert.Equal("ffff" + new string('0', 28), Hex(six, first));
        Assert.Equal(new string('f', 32), Hex(six, last));
        Assert.Null(six.After(last));
        Assert.Equal(last, six.After(last - 1));
        Assert.Single(ValueRanges.Of(IPFamily.IPv4, prefixes).Ranges);
    }

    private static string Show(ValueRanges ranges) => string.Join(' ', ranges.Ranges.Select(range => $"{range.First}-{range.Last}"));

    private static string Hex(ValueRanges ranges, UInt128 number) => Convert.ToHexStringLower(ranges.Bytes(number));
}
