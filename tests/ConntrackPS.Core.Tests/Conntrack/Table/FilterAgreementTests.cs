using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Compares our filters with those of conntrack, on a table with all kinds of entries.</summary>
public sealed class FilterAgreementTests(RandomTableFixture fixture) : IClassFixture<RandomTableFixture>
{
    public static TheoryData<string> Cases =>
    [
        "-s 10.0.0.0/9", "-d 198.51.128.0/17", "-s 2001:db8::/33", "-d 2001:db8:ffff:8000::/49",
        "-p tcp", "-p udp", "-p udplite", "-p sctp", "-p gre", "-p icmp", "-p icmpv6", "-p 50",
        "-p tcp --state SYN_SENT", "-p tcp --state TIME_WAIT", "-p tcp --state SYN_SENT2",
        "-u ASSURED", "-u SEEN_REPLY", "-u FIXED_TIMEOUT", "-p tcp -n", "-p tcp -g", "-p udp -n", "-p sctp -g", "-p gre -n", "-p 50 -n", "-p tcp -j", "-p udp -j", "-p sctp -j", "-p gre -j", "-p 50 -j", "-m 0", "-m 0x1/0x1", "-m 0x80000000/0xc0000000",
        "-f ipv4", "-f ipv6",
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_same_entries_are_meant(string arguments) => AssertAgreement(arguments, Translate(arguments));

    /// <summary>conntrack accepts no prefix here.</summary>
    [Theory]
    [InlineData(IPFamily.IPv4)]
    [InlineData(IPFamily.IPv6)]
    public void The_same_entries_have_a_reply_address(IPFamily family)
    {
        ConntrackEntry entry = fixture.Created.First(entry => entry.AddressFamily == family && entry.Reply.Source != entry.Original.Destination);
        AssertAgreement("-r " + entry.ReplySourceAddress, new ConntrackFilter { ReplySourceAddress = [AddressPrefix.Parse(entry.ReplySourceAddress!)] });
        AssertAgreement("-q " + entry.ReplyDestinationAddress, new ConntrackFilter { ReplyDestinationAddress = [AddressPrefix.Parse(entry.ReplyDestinationAddress!)] });
    }

    /// <summary>Only IPv4: conntrack ignores an IPv6 address of --any-nat, and shows other flows.</summary>
    [Fact]
    public void The_same_entries_are_translated_to_an_address()
    {
        foreach (string address in TranslatedAddresses(IPFamily.IPv4))
            AssertAgreement("-j " + address, new ConntrackFilter { TranslatedAddress = [AddressPrefix.Parse(address)] });
    }

    /// <summary>Compared with the tuples of all flows that conntrack shows.</summary>
    [Theory]
    [InlineData(IPFamily.IPv4)]
    [InlineData(IPFamily.IPv6)]
    public void The_entries_translated_to_an_address_are_those_whose_tuples_say_so(IPFamily family)
    {
        List<FlowRecord> flows = ConntrackTool.ListXml(fixture.Namespace);
        foreach (string address in TranslatedAddresses(family))
        {
            uint?[] expected = [.. flows.Where(flow => IsTranslatedTo(flow, address)).Select(flow => flow.Id).Order()];
            Assert.NotEmpty(expected);
            ConntrackFilter filter = new() { TranslatedAddress = [AddressPrefix.Parse(address)] };
            Assert.Equal(expected, fixture.Namespace.Table.Read(filter).Select(entry => entry.Id).Order());
        }
    }

    /// <summary>Translated addresses of only one end, of only the other, and of both.</summary>
    private IEnumerable<string> TranslatedAddresses(IPFamily family)
    {
        const ConntrackStatus Both = ConntrackStatus.SrcNat | ConntrackStatus.DstNat;
        ConntrackEntry With(ConntrackStatus status) =>
            fixture.Created.First(entry => entry.AddressFamily == family && (entry.Status & Both) == status);
        ConntrackEntry both = With(Both);
        return [With(ConntrackStatus.SrcNat).ReplyDestinationAddress!, With(ConntrackStatus.DstNat).ReplySourceAddress!, both.ReplyDestinationAddress!, both.ReplySourceAddress!];
    }

    private static bool IsTranslatedTo(FlowRecord flow, string address) =>
        (flow.Reply.Destination == address && flow.Original.Source != address) || (flow.Reply.Source == address && flow.Original.Destination != address);

    private void AssertAgreement(string arguments, ConntrackFilter filter)
    {
        uint?[] shown = [.. ConntrackTool.ListXml(fixture.Namespace, arguments.Split(' ')).Select(flow => flow.Id)];
        Assert.NotEmpty(shown);
        Assert.Equal(shown.Order(), fixture.Namespace.Table.Read(filter).Select(entry => entry.Id).Order());
    }

    private static ConntrackFilter Translate(string arguments)
    {
        string[] words = arguments.Split(' ');
        IReadOnlyList<IPProtocol> protocol = words[0] == "-p" ? [Protocol(words[1])] : [];
        return words switch
        {
            ["-s", var value] => new ConntrackFilter { SourceAddress = [AddressPrefix.Parse(value)] },
            ["-d", var value] => new ConntrackFilter { DestinationAddress = [AddressPrefix.Parse(value)] },
            ["-u", var value] => new ConntrackFilter { Status = Status(value) },
            ["-m", var value] => new ConntrackFilter { Mark = [MaskedMark.Parse(value)] },
            ["-f", var value] => new ConntrackFilter { AddressFamily = Enum.Parse<IPFamily>(value, ignoreCase: true) },
            ["-p", _] => new ConntrackFilter { Protocol = protocol },
            ["-p", _, "--state", var value] => new ConntrackFilter { Protocol = protocol, State = [State(value)] },

            // Only with a protocol: conntrack compares ICMP type and code like ports, and reports them as translated.
            ["-p", _, "-n"] => new ConntrackFilter { Protocol = protocol, SourceNat = true },
            ["-p", _, "-g"] => new ConntrackFilter { Protocol = protocol, DestinationNat = true },
            ["-p", _, "-j"] => new ConntrackFilter { Protocol = protocol, AnyNat = true },
            _ => throw new ArgumentException(arguments),
        };
    }

    private static IPProtocol Protocol(string text) =>
        ProtocolNames.TryParse(text, out IPProtocol protocol) ? protocol : throw new ArgumentException(text);

    private static ConntrackState State(string text) =>
        Enum.GetValues<ConntrackState>().Single(state => Names.UpperSnake(state.ToString()) == text);

    private static ConntrackStatus Status(string text) =>
        Enum.GetValues<ConntrackStatus>().Single(status => Names.UpperSnake(status.ToString()) == text);
}
