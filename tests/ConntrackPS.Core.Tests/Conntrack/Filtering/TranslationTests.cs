using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Translation shown by the status bits or by the tuples: an entry that a tool restored may have only one of them.</summary>
public sealed class TranslationTests
{
    private static readonly ConntrackFilter Source = new() { SourceNat = true };
    private static readonly ConntrackFilter Destination = new() { DestinationNat = true };
    private static readonly ConntrackFilter Either = new() { AnyNat = true };

    [Fact]
    public void Tuples_that_differ_are_enough()
    {
        AssertTranslated(Plain(Entries.Any().WithSourceNat("203.0.113.1", 4000)), source: true, destination: false);
        AssertTranslated(Plain(Entries.Any().WithSourceNat("192.0.2.1", 4001)), source: true, destination: false);
        AssertTranslated(Plain(Entries.Any().WithDestinationNat("203.0.113.1", 80)), source: false, destination: true);
        AssertTranslated(Plain(Entries.Any().WithDestinationNat("198.51.100.7", 81)), source: false, destination: true);
        AssertTranslated(Plain(Entries.Generic(IPProtocol.Esp, "2001:db8::1", "2001:db8::2").WithSourceNat("2001:db8::3")), source: true, destination: false);
    }

    [Fact]
    public void Status_bits_are_enough()
    {
        ConntrackEntry entry = Entries.Any();
        entry.Status |= ConntrackStatus.SrcNat;
        AssertTranslated(entry, source: true, destination: false);
        entry.Status = ConntrackStatus.DstNat;
        AssertTranslated(entry, source: false, destination: true);
    }

    /// <summary>"Decided, possibly as none" does not mean translated.</summary>
    [Fact]
    public void The_bits_that_say_it_was_decided_are_not()
    {
        ConntrackEntry entry = Entries.Any();
        entry.Status |= ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone;
        AssertTranslated(entry, source: false, destination: false);
    }

    [Fact]
    public void ICMP_s_type_that_the_reply_answers_is_no_translation()
    {
        AssertTranslated(Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77), source: false, destination: false);
        AssertTranslated(Entries.Icmp("2001:db8::1", "2001:db8::2", 128, 0, 77), source: false, destination: false);
        AssertTranslated(Plain(Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77).WithSourceNat("192.0.2.1", 78)), source: true, destination: false);
    }

    /// <summary>As for -Address and -Port: an address of one end and a port of the other both match.</summary>
    [Theory]
    [InlineData("203.0.113.1", "6000", true)]
    [InlineData("203.0.113.1", "8080", true)]
    [InlineData("10.0.0.9", "8080", true)]
    [InlineData("10.0.0.9", "4000", false)]
    [InlineData("192.0.2.1", "8080", false)]
    public void Address_and_port_are_asked_for_one_by_one(string address, string port, bool matches)
    {
        ConntrackEntry entry = Entries.Any().WithSourceNat("203.0.113.1", 6000).WithDestinationNat("10.0.0.9", 8080);
        ConntrackFilter filter = new() { TranslatedAddress = [AddressPrefix.Parse(address)], TranslatedPort = [PortRange.Parse(port)] };
        Assert.Equal(matches, filter.Matches(entry));
    }

    private static ConntrackEntry Plain(ConntrackEntry entry)
    {
        entry.Status = ConntrackStatus.Confirmed;
        return entry;
    }

    private static void AssertTranslated(ConntrackEntry entry, bool source, bool destination) => Assert.Equal(
        (source, destination, source || destination), (Source.Matches(entry), Destination.Matches(entry), Either.Matches(entry)));
}
