using ConntrackPS.Conntrack;
using ConntrackPS.Expectations;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Wire;

public sealed class CapturedMessageTests
{
    public static TheoryData<string> Names => CapturedMessage.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void A_message_of_a_real_kernel_says_all_that_is_in_it(string name)
    {
        CapturedMessage message = CapturedMessage.Get(name);
        Assert.Equal(message.Expected, EntryProperties.Of(message.DecodeLike(message.Bytes)));
    }

    /// <summary>Otherwise a wrong resource name would leave nothing to test.</summary>
    [Fact]
    public void There_is_a_message_of_each_protocol_and_kind()
    {
        string[] wanted = ["Tcp", "Udp", "UdpLite", "Sctp", "Icmp", "IcmpV6", "Gre", "Esp", "200"];
        Assert.Empty(wanted.Except(CapturedMessage.Entries.Select(message => message.Expected[nameof(ConntrackEntry.Protocol)])));
        Assert.Contains(CapturedMessage.All, message => message.Name.Contains("destroy", StringComparison.Ordinal));
    }

    /// <summary>At least one message contains each property that this kernel can send.</summary>
    [Fact]
    public void Every_property_of_an_entry_stands_in_some_message()
    {
        string[] neverSent =
        [
            nameof(ConntrackEntry.SecurityContext), nameof(ConntrackEntry.SecurityMark), nameof(ConntrackEntry.DccpRole),
            nameof(ConntrackEntry.DccpHandshakeSequence), nameof(ConntrackEntry.Namespace), nameof(ConntrackEntry.Age),
            nameof(ConntrackEntry.Extra),
        ];
        IEnumerable<string> all = typeof(ConntrackEntry).GetProperties().Select(property => property.Name);
        Assert.Empty(all.Except(CapturedMessage.Entries.SelectMany(message => message.Expected.Keys)).Except(neverSent));
    }

    /// <summary>The kernel never sends the zone, and text alone has anything extra.</summary>
    [Fact]
    public void Every_property_of_an_expectation_stands_in_some_message()
    {
        IEnumerable<string> all = typeof(ConntrackExpectation).GetProperties().Select(property => property.Name);
        Assert.Equal(
            [nameof(ConntrackExpectation.Extra), nameof(ConntrackExpectation.Namespace), nameof(ConntrackExpectation.Zone)],
            all.Except(CapturedMessage.Expectations.SelectMany(message => message.Expected.Keys)).Order());
    }
}
