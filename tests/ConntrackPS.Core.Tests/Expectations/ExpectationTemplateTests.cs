using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Expectations;

public sealed class ExpectationTemplateTests
{
    private static readonly ConntrackEntry Master = ExpectationSamples.FtpMaster();

    private static readonly ExpectationTemplate Least = new()
    {
        Source = AddressPrefix.Parse("198.51.100.7"),
        Destination = HostAddress.Parse("192.0.2.1"),
        DestinationPort = 5000,
        Master = EntryKey.Of(Master),
    };

    [Fact]
    public void What_is_not_said_follows_from_the_master()
    {
        ConntrackExpectation made = Least.Make();
        Assert.Equal((IPProtocol.Tcp, "255.255.255.255", (ushort?)0, (ushort?)0), (made.Protocol, made.SourceMask, made.SourcePort, made.SourcePortMask));
        Assert.Equal((Master.Original, (ushort?)0, 0u, ExpectationFlags.None), (made.Master, made.Zone, made.Class, made.Flags));
        Assert.Null(made.TimeoutSeconds);
        Assert.Null(made.NatAddress);
    }

    [Theory]
    [InlineData("0.0.0.0/0", "0.0.0.0", "0.0.0.0")]
    [InlineData("198.51.100.0/24", "198.51.100.0", "255.255.255.0")]
    [InlineData("198.51.100.7", "198.51.100.7", "255.255.255.255")]
    public void A_prefix_makes_the_mask(string prefix, string address, string mask)
    {
        ConntrackExpectation made = (Least with { Source = AddressPrefix.Parse(prefix) }).Make();
        Assert.Equal((address, mask), (made.SourceAddress, made.SourceMask));
    }

    [Fact]
    public void A_source_port_counts_wholly_unless_masked()
    {
        Assert.Equal((ushort?)65535, (Least with { SourcePort = 20 }).Make().SourcePortMask);
        Assert.Equal((ushort?)0xff00, (Least with { SourcePort = 20, SourcePortMask = 0xff00 }).Make().SourcePortMask);
    }

    [Fact]
    public void One_that_is_given_is_changed_only_where_something_is_said()
    {
        ConntrackExpectation start = (Least with { Source = AddressPrefix.Parse("198.51.0.0/16"), SourcePort = 20, Class = 2, Function = "sip", TimeoutSeconds = 9 }).Make();
        ConntrackExpectation made = new ExpectationTemplate { DestinationPort = 6000, Zone = 5 }.Make(start);
        Assert.Equal(("255.255.0.0", (ushort?)65535, 2u, "sip", 9u), (made.SourceMask, made.SourcePortMask, made.Class, made.Function, made.TimeoutSeconds));
        Assert.Equal(((ushort?)6000, (ushort?)5), (made.DestinationPort, made.Zone));
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        Assert.Contains("-Master", Refusal(Least with { Master = null }), StringComparison.Ordinal);
        Assert.Contains("-SourceAddress", Refusal(Least with { Source = null }), StringComparison.Ordinal);
        Assert.Contains("-DestinationAddress", Refusal(Least with { Destination = null }), StringComparison.Ordinal);
        Assert.Contains("-DestinationPort", Refusal(Least with { DestinationPort = null }), StringComparison.Ordinal);
        Assert.Contains("family", Refusal(Least with { Destination = HostAddress.Parse("2001:db8::1") }), StringComparison.Ordinal);
        Assert.Contains("-SourceMask", Refusal(Least with { Source = AddressPrefix.Parse("10.0.0.0/8"), SourceMask = HostAddress.Parse("255.0.0.0") }), StringComparison.Ordinal);
    }

    /// <summary>The message for users of the module.</summary>
    private static string Refusal(ExpectationTemplate template) => ErrorFactory.Describe(Assert.ThrowsAny<FormatException>(() => template.Make()));
}
