using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public partial class AddressTextTests
{
    private const int InterNetworkV6 = 10;

    [Theory]
    [InlineData("::", "0000:0000:0000:0000:0000:0000:0000:0000")]
    [InlineData("::1", "0000:0000:0000:0000:0000:0000:0000:0001")]
    [InlineData("::1.2.3.4", "0000:0000:0000:0000:0000:0000:0102:0304")]
    [InlineData("::ffff:1.2.3.4", "0000:0000:0000:0000:0000:ffff:0102:0304")]
    [InlineData("fd00::1:0:5efe:102:304", "fd00:0000:0000:0001:0000:5efe:0102:0304")]
    [InlineData("1:0:0:2::", "0001:0000:0000:0002:0000:0000:0000:0000")]
    [InlineData("2001:db8:0:1:1:1:1:1", "2001:0db8:0000:0001:0001:0001:0001:0001")]
    public void Both_spellings_are_one_address(string shortened, string expanded)
    {
        Assert.True(AddressText.TryParse(shortened, out IPFamily family, out AddressBits address));
        Assert.True(AddressText.TryParse(expanded, out _, out AddressBits same));
        Assert.Equal((IPFamily.IPv6, address), (family, same));
        Assert.Equal(shortened, Format(family, address));
        Assert.Equal(expanded, Format(family, address, isExpanded: true));
    }

    [Fact]
    public void IPv6_is_written_as_inet_ntop_does()
    {
        Random random = new(6);
        byte[] bytes = new byte[16];
        for (int run = 0; run < 20_000; run++)
        {
            random.NextBytes(bytes);

            // Random bytes hardly ever have runs of zeros.
            for (int group = 0; group < 8; group++)
            {
                if (random.Next(5) > 1)
                    bytes[2 * group] = bytes[2 * group + 1] = 0;
                else if (random.Next(6) == 0)
                    bytes[2 * group] = bytes[2 * group + 1] = 0xff;
            }

            string expected = InetNtop(bytes);
            string actual = Format(IPFamily.IPv6, AddressBits.FromBytes(bytes));
            Assert.Equal(expected, actual);
            Assert.True(AddressText.TryParse(actual, out _, out AddressBits again));
            Assert.Equal(AddressBits.FromBytes(bytes), again);
        }
    }

    [Fact]
    public void IPv4_is_written_and_read_with_dots()
    {
        Random random = new(4);
        byte[] bytes = new byte[4];
        for (int run = 0; run < 2000; run++)
        {
            random.NextBytes(bytes);
            string expected = new IPAddress(bytes).ToString();
            Assert.True(AddressText.TryParse(expected, out IPFamily family, out AddressBits address));
            Assert.Equal((IPFamily.IPv4, expected), (family, Format(family, address)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3")]
    [InlineData("1.2.3.")]
    [InlineData("1.2.3.4.")]
    [InlineData("1.2.3.4.5")]
    [InlineData(".1.2.3")]
    [InlineData("1..2.3")]
    [InlineData("01.2.3.4")]
    [InlineData("00.2.3.4")]
    [InlineData("1.2.3.256")]
    [InlineData("1.2.3.99999999999999999999")]
    [InlineData("1.2.3.4 ")]
    [InlineData("0x1.2.3.4")]
    [InlineData("\u0661.2.3.4")]
    [InlineData(":")]
    [InlineData(":::")]
    [InlineData("1::2::3")]
    [InlineData("1:2:3:4:5:6:7")]
    [InlineData("1:2:3:4:5:6:7:8:9")]
    [InlineData("12345::")]
    [InlineData("::g")]
    [InlineData("::1%eth0")]
    [InlineData("[::1]")]
    [InlineData("::1/128")]
    [InlineData("xxx.xxx.xxx.xxx")]
    public void Nothing_else_is_an_address(string text) => Assert.False(AddressText.TryParse(text, out _, out _));

    private static string Format(IPFamily family, AddressBits address, bool isExpanded = false)
    {
        StringBuilder text = new();
        AddressText.Append(text, family, address, isExpanded);
        return text.ToString();
    }

    private static string InetNtop(byte[] address)
    {
        byte[] text = new byte[46];
        Assert.NotEqual(0, InetNtop(InterNetworkV6, address, text, (uint)text.Length));
        return Encoding.ASCII.GetString(text, 0, Array.IndexOf(text, (byte)0));
    }

    [LibraryImport("libc", EntryPoint = "inet_ntop")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint InetNtop(int family, byte[] address, [Out] byte[] text, uint size);
}
