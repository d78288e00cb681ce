using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Conntrack;

public sealed class ProtocolNamesTests
{
    [Theory]
    [InlineData("tcp", 6)]
    [InlineData("TCP", 6)]
    [InlineData("Udp", 17)]
    [InlineData("udplite", 136)]
    [InlineData("icmp", 1)]
    [InlineData("icmpv6", 58)]
    [InlineData("ipv6-icmp", 58)]
    [InlineData("sctp", 132)]
    [InlineData("gre", 47)]
    [InlineData("0", 0)]
    [InlineData("6", 6)]
    [InlineData("200", 200)]
    [InlineData("255", 255)]
    public void A_name_in_any_case_or_a_number_is_a_protocol(string text, int expected)
    {
        Assert.True(ProtocolNames.TryParse(text, out IPProtocol protocol));
        Assert.Equal(expected, (int)protocol);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("tpc")]
    [InlineData("256")]
    [InlineData("-1")]
    [InlineData("+6")]
    [InlineData("0x6")]
    [InlineData("6.0")]
    public void Anything_else_is_refused(string text) => Assert.False(ProtocolNames.TryParse(text, out _));

    /// <summary>The combined numbers of several names are another protocol: "icmp,udp" would be udp.</summary>
    [Theory]
    [InlineData("icmp,udp")]
    [InlineData("tcp,igmp")]
    [InlineData("ip,tcp")]
    [InlineData("tcp, tcp")]
    public void Several_names_are_no_protocol(string text) => Assert.False(ProtocolNames.TryParse(text, out _));

    [Theory]
    [InlineData(6, "tcp")]
    [InlineData(58, "icmpv6")]
    [InlineData(136, "udplite")]
    [InlineData(200, "200")]
    public void The_kernel_s_name_is_lower_case_or_the_number(int protocol, string expected) =>
        Assert.Equal(expected, ProtocolNames.ToKernel((IPProtocol)protocol));

    [Fact]
    public void Every_name_is_read_back()
    {
        foreach (IPProtocol protocol in Enum.GetValues<IPProtocol>())
        {
            Assert.True(ProtocolNames.TryParse(ProtocolNames.ToKernel(protocol), out IPProtocol read));
            Assert.Equal(protocol, read);
        }
    }
}
