using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Protects against deletions of more than the named entries, and checks the description of filters.</summary>
public sealed class FilterGuardTests
{
    public static TheoryData<string> Trivial => ["0.0.0.0/0", "::/0", "10.1.2.3/0"];

    [Fact]
    public void An_empty_filter_is_empty_and_names_nothing()
    {
        ConntrackFilter filter = new();
        Assert.True(filter.IsEmpty);
        Assert.False(filter.NamesEntries);
        Assert.Equal("every entry", filter.ToString());
    }

    [Theory]
    [MemberData(nameof(Trivial))]
    public void A_prefix_of_everything_names_nothing(string prefix)
    {
        AddressPrefix[] everything = [AddressPrefix.Parse(prefix)];
        ConntrackFilter[] filters =
        [
            new() { SourceAddress = everything }, new() { DestinationAddress = everything }, new() { Address = everything },
            new() { ReplySourceAddress = everything }, new() { ReplyDestinationAddress = everything },
            new() { TranslatedSourceAddress = everything }, new() { TranslatedDestinationAddress = everything }, new() { TranslatedAddress = everything },
            new() { SourceAddress = [.. everything, AddressPrefix.Parse("192.0.2.1")] },
            new() { SourceAddress = everything, DestinationAddress = everything },
        ];
        Assert.All(filters, filter => Assert.False(filter.NamesEntries));
        Assert.All(filters, filter => Assert.False(filter.IsEmpty));
    }

    [Fact]
    public void A_range_of_all_ports_names_nothing()
    {
        PortRange[] everything = [PortRange.Parse("0-65535")];
        ConntrackFilter[] filters =
        [
            new() { SourcePort = everything }, new() { DestinationPort = everything }, new() { Port = everything },
            new() { ReplySourcePort = everything }, new() { ReplyDestinationPort = everything },
            new() { TranslatedSourcePort = everything }, new() { TranslatedDestinationPort = everything }, new() { TranslatedPort = everything },
        ];
        Assert.All(filters, filter => Assert.False(filter.NamesEntries));
    }

    [Fact]
    public void A_mark_with_an_empty_mask_names_nothing() =>
        Assert.False(new ConntrackFilter { Mark = [MaskedMark.Parse("0/0")] }.NamesEntries);

    [Theory]
    [InlineData(ConntrackStatus.Confirmed, null)]
    [InlineData(null, (ConntrackStatus)0x8000_0000)]
    [InlineData(null, (ConntrackStatus)0x0001_0000)]
    [InlineData(null, ConntrackStatus.Dying | ConntrackStatus.Template | ConntrackStatus.Untracked)]
    [InlineData(ConntrackStatus.Confirmed, ConntrackStatus.Dying)]
    public void Status_bits_that_every_entry_or_none_has_name_nothing(ConntrackStatus? all, ConntrackStatus? none) =>
        Assert.False(new ConntrackFilter { Status = all, ExcludeStatus = none }.NamesEntries);

    [Theory]
    [InlineData(ConntrackStatus.Confirmed | ConntrackStatus.Assured, null)]
    [InlineData(ConntrackStatus.Dying, null)]
    [InlineData((ConntrackStatus)0x8000_0000, null)]
    [InlineData(null, ConntrackStatus.Assured)]
    [InlineData(null, ConntrackStatus.HwOffload | ConntrackStatus.Dying)]
    [InlineData(null, ConntrackStatus.Confirmed)]
    public void Other_status_bits_name_entries(ConntrackStatus? all, ConntrackStatus? none) =>
        Assert.True(new ConntrackFilter { Status = all, ExcludeStatus = none }.NamesEntries);

    /// <summary>The kernel cuts a longer timeout to INT_MAX jiffies, which are 248 days with 100 a second.</summary>
    [Theory]
    [InlineData(uint.MaxValue, false)]
    [InlineData(int.MaxValue / 100 + 1, false)]
    [InlineData(int.MaxValue / 100, true)]
    [InlineData(432000u, true)]
    public void A_timeout_that_no_entry_reaches_names_nothing(uint seconds, bool names) =>
        Assert.Equal(names, new ConntrackFilter { TimeoutBelow = seconds }.NamesEntries);

    [Fact]
    public void One_property_that_names_something_is_enough()
    {
        Assert.True(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("0.0.0.0/0")], Protocol = [IPProtocol.Tcp] }.NamesEntries);
        Assert.True(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("0.0.0.0/1")] }.NamesEntries);
        Assert.True(new ConntrackFilter { Mark = [MaskedMark.Parse("0")] }.NamesEntries);
        Assert.True(new ConntrackFilter { Zone = [0] }.NamesEntries);
        Assert.True(new ConntrackFilter { AddressFamily = IPFamily.IPv4 }.NamesEntries);
        Assert.True(new ConntrackFilter { Unreplied = true }.NamesEntries);
        Assert.True(new ConntrackFilter { AnyNat = true }.NamesEntries);
        Assert.True(new ConntrackFilter { TranslatedAddress = [AddressPrefix.Parse("0.0.0.0/0")], AnyNat = true }.NamesEntries);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void No_status_bit_at_all_is_refused(bool exclude)
    {
        ConntrackFilter filter = exclude
            ? new ConntrackFilter { ExcludeStatus = ConntrackStatus.None }
            : new ConntrackFilter { Status = ConntrackStatus.None };
        ArgumentException exception = Assert.Throws<ArgumentException>(() => filter.Matches(Entries.Any()));
        Assert.Equal(exclude ? "ExcludeStatus" : "Status", exception.ParamName);
        Assert.Contains("such as Assured", exception.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => filter.IsEmpty);
        Assert.Throws<ArgumentException>(() => filter.NamesEntries);
    }

    [Fact]
    public void A_filter_says_all_that_it_asks_for()
    {
        ConntrackFilter filter = new()
        {
            AddressFamily = IPFamily.IPv4,
            Protocol = [IPProtocol.Tcp, (IPProtocol)200],
            SourceAddress = [AddressPrefix.Parse("192.0.2.0/24"), AddressPrefix.Parse("198.51.100.7")],
            DestinationAddress = [AddressPrefix.Parse("203.0.113.1")],
            ReplySourceAddress = [AddressPrefix.Parse("203.0.113.2")],
            ReplyDestinationAddress = [AddressPrefix.Parse("203.0.113.3")],
            Address = [AddressPrefix.Parse("203.0.113.4")],
            TranslatedSourceAddress = [AddressPrefix.Parse("203.0.113.5")],
            TranslatedDestinationAddress = [AddressPrefix.Parse("203.0.113.6")],
            TranslatedAddress = [AddressPrefix.Parse("203.0.113.7")],
            SourcePort = [PortRange.Parse("1000-2000")],
            DestinationPort = [PortRange.Parse("80")],
            ReplySourcePort = [PortRange.Parse("81")],
            ReplyDestinationPort = [PortRange.Parse("82")],
            TranslatedSourcePort = [PortRange.Parse("83")],
            TranslatedDestinationPort = [PortRange.Parse("84")],
            TranslatedPort = [PortRange.Parse("85")],
            Port = [PortRange.Parse("443")],
            State = [ConntrackState.SynSent],
            Status = ConntrackStatus.Assured,
            ExcludeStatus = ConntrackStatus.Offload,
            Unreplied = true,
            SourceNat = true,
            DestinationNat = true,
            AnyNat = true,
            Mark = [MaskedMark.Parse("0x100/0xff00")],
            Label = [127],
            Helper = ["ftp"],
            SecurityContext = ["system_u"],
            IcmpType = [8],
            IcmpCode = [0],
            IcmpId = [9],
            GreSourceKey = [10],
            GreDestinationKey = [11],
            MinimumBytes = 12,
            MinimumPackets = 13,
            TimeoutBelow = 14,
            TimeoutAbove = 15,
            OlderThan = TimeSpan.FromMinutes(16),
            Zone = [5, 6],
            OriginalZone = [17],
            ReplyZone = [18],
            Id = [7],
            Exclude = [new ConntrackFilter { SourcePort = [PortRange.Parse("1999")] }],
        };
        Assert.Equal(
            "entries with address family IPv4 and protocol Tcp or 200 and source address 192.0.2.0/24 or 198.51.100.7"
            + " and destination address 203.0.113.1 and reply source address 203.0.113.2 and reply destination address 203.0.113.3"
            + " and any address 203.0.113.4 and source port 1000-2000 and destination port 80 and reply source port 81"
            + " and reply destination port 82 and any port 443 and ICMP type 8 and ICMP code 0 and ICMP id 9"
            + " and GRE source key 10 and GRE destination key 11 and zone 5 or 6 and original zone 17 and reply zone 18 and id 7"
            + " and a translated source and a translated destination and a translated source or destination"
            + " and source translated to 203.0.113.5 and destination translated to 203.0.113.6"
            + " and source or destination translated to 203.0.113.7"
            + " and source port translated to 83 and destination port translated to 84 and source or destination port translated to 85"
            + " and state SynSent and status Assured and status without Offload and no reply seen"
            + " and mark 0x100/0xff00 and label 127 and helper ftp and security context system_u"
            + " and at least 12 bytes and at least 13 packets and less than 14 s left and more than 15 s left and an age over 00:16:00"
            + " and not source port 1999",
            filter.ToString());

        // One condition for each property, so that later properties are included.
        string[] notConditions = [nameof(ConntrackFilter.IsEmpty), nameof(ConntrackFilter.NamesEntries), nameof(ConntrackFilter.Contradiction)];
        Assert.Equal(typeof(ConntrackFilter).GetProperties().Length - notConditions.Length, filter.Terms.Length);
    }
}
