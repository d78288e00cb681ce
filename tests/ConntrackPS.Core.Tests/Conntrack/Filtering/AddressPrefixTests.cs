using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

public sealed class AddressPrefixTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", 32)]
    [InlineData("192.0.2.1/32", "192.0.2.1", 32)]
    [InlineData("192.0.2.0/24", "192.0.2.0/24", 24)]
    [InlineData("192.0.2.77/24", "192.0.2.0/24", 24)]
    [InlineData("192.0.2.77/31", "192.0.2.76/31", 31)]
    [InlineData("255.255.255.255/1", "128.0.0.0/1", 1)]
    [InlineData("0.0.0.0/0", "0.0.0.0/0", 0)]
    [InlineData("10.1.2.3/0", "0.0.0.0/0", 0)]
    [InlineData(" 10.0.0.0/8 ", "10.0.0.0/8", 8)]
    [InlineData("1.1.1.0/255.255.255.0", "1.1.1.0/24", 24)]
    [InlineData("1.1.1.1/0.0.0.0", "0.0.0.0/0", 0)]
    [InlineData("1.1.1.1/255.255.255.255", "1.1.1.1", 32)]
    [InlineData("1.1.1.1/128.0.0.0", "0.0.0.0/1", 1)]
    [InlineData("abcd:abcd:abcd::/ffff:ffff:ffff::", "abcd:abcd:abcd::/48", 48)]
    [InlineData("abcd::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "abcd::1", 128)]
    [InlineData("2001:db8:1:2:ffff::/ffff:ffff:ffff:ffff:8000::", "2001:db8:1:2:8000::/65", 65)]
    [InlineData("2001:db8::1", "2001:db8::1", 128)]
    [InlineData("2001:DB8::/32", "2001:db8::/32", 32)]
    [InlineData("2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64", 64)]
    [InlineData("2001:db8:1:2:ffff::/65", "2001:db8:1:2:8000::/65", 65)]
    [InlineData("2001:db8:1:2:3:4:5:7/127", "2001:db8:1:2:3:4:5:6/127", 127)]
    [InlineData("::/0", "::/0", 0)]
    [InlineData("::ffff:192.0.2.0/120", "::ffff:192.0.2.0/120", 120)]
    public void A_prefix_is_read_and_its_host_bits_are_dropped(string text, string expected, int length)
    {
        AddressPrefix prefix = AddressPrefix.Parse(text);
        Assert.Equal(expected, prefix.ToString());
        Assert.Equal(length, prefix.Length);
        Assert.Equal(expected.Contains('/', StringComparison.Ordinal), !prefix.IsSingleAddress);
        Assert.Equal(prefix, AddressPrefix.Parse(prefix.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("/24")]
    [InlineData("192.0.2.0/")]
    [InlineData("192.0.2.0/33")]
    [InlineData("192.0.2.0/-1")]
    [InlineData("192.0.2.0/+8")]
    [InlineData("192.0.2.0/ 8")]
    [InlineData("192.0.2.0 /8")]
    [InlineData("192.0.2.0/8/8")]
    [InlineData("192.0.2.0/0x8")]
    [InlineData("192.0.2.0/255.0.255.0")]
    [InlineData("192.0.2.0/0.0.0.255")]
    [InlineData("192.0.2.0/ffff::")]
    [InlineData("2001:db8::/::1")]
    [InlineData("192.0.2/24")]
    [InlineData("10/8")]
    [InlineData("010.0.0.0/8")]
    [InlineData("192.0.2.1-192.0.2.9")]
    [InlineData("192.0.2.1,192.0.2.9")]
    [InlineData("2001:db8::/129")]
    [InlineData("fe80::1%eth0")]
    [InlineData("[2001:db8::1]")]
    [InlineData("router.example")]
    [InlineData("*")]
    public void Anything_else_is_refused_with_the_forms_that_are_taken(string text)
    {
        string message = Assert.Throws<FormatException>(() => AddressPrefix.Parse(text)).Message;
        Assert.Contains($"'{text}'", message, StringComparison.Ordinal);
        Assert.Contains("192.0.2.0/24", message, StringComparison.Ordinal);
        Assert.Contains("2001:db8::/32", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Null_is_an_argument_error() => Assert.Throws<ArgumentNullException>(() => AddressPrefix.Parse(null!));

    [Theory]
    [InlineData("192.0.2.0/24", "192.0.2.0", true)]
    [InlineData("192.0.2.0/24", "192.0.2.255", true)]
    [InlineData("192.0.2.0/24", "192.0.3.0", false)]
    [InlineData("192.0.2.0/24", "192.0.1.255", false)]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("128.0.0.0/1", "127.255.255.255", false)]
    [InlineData("128.0.0.0/1", "255.255.255.255", true)]
    [InlineData("0.0.0.0/0", "255.255.255.255", true)]
    [InlineData("0.0.0.0/0", "::", false)]
    [InlineData("::/0", "::1", true)]
    [InlineData("::/0", "0.0.0.1", false)]
    [InlineData("::ffff:192.0.2.0/120", "192.0.2.1", false)]
    [InlineData("::192.0.2.1", "192.0.2.1", false)]
    [InlineData("192.0.2.1", "::192.0.2.1", false)]
    [InlineData("2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8::/32", "2001:db9::", false)]
    [InlineData("2001:db8:0:1::/64", "2001:db8:0:1:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8:0:1::/64", "2001:db8:0:2::", false)]
    [InlineData("2001:db8:0:1:8000::/65", "2001:db8:0:1:7fff:ffff:ffff:ffff", false)]
    [InlineData("2001:db8:0:1:8000::/65", "2001:db8:0:1:8000::1", true)]
    [InlineData("2001:db8::1", "2001:db8::2", false)]
    public void It_contains_the_addresses_that_begin_alike(string prefix, string address, bool expected)
    {
        (IPFamily family, AddressBits bits) = Entries.Address(address);
        Assert.Equal(expected, AddressPrefix.Parse(prefix).Contains(family, bits));
    }

    /// <summary>Compares with .NET's IPNetwork, with a fixed seed.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(16)]
    public void It_agrees_with_IPNetwork(int size)
    {
        Random random = new(size);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = new byte[size], near = new byte[size];
            random.NextBytes(bytes);
            bytes.CopyTo(near, 0);
            near[random.Next(size)] ^= (byte)(1 << random.Next(8));
            int length = random.Next(size * 8 + 1);
            AddressPrefix prefix = AddressPrefix.Parse($"{new System.Net.IPAddress(bytes)}/{length}");
            System.Net.IPNetwork network = System.Net.IPNetwork.Parse(prefix.Length == size * 8 ? $"{prefix}/{length}" : prefix.ToString());
            Assert.Equal(network.Contains(new System.Net.IPAddress(near)), prefix.Contains(prefix.Family, AddressBits.FromBytes(near)));
        }
    }
}
