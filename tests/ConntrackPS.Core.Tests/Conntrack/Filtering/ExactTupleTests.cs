using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Filters with exactly one complete tuple, and other filters.</summary>
public sealed class ExactTupleTests
{
    private static readonly ConntrackFilter Original = new()
    {
        Protocol = [IPProtocol.Tcp],
        SourceAddress = [AddressPrefix.Parse("192.0.2.1")],
        SourcePort = [new PortRange(4000)],
        DestinationAddress = [AddressPrefix.Parse("198.51.100.7")],
        DestinationPort = [new PortRange(80)],
    };

    private static readonly ConntrackFilter Reply = new()
    {
        Protocol = [IPProtocol.Tcp],
        ReplySourceAddress = [AddressPrefix.Parse("198.51.100.7")],
        ReplySourcePort = [new PortRange(80)],
        ReplyDestinationAddress = [AddressPrefix.Parse("192.0.2.1")],
        ReplyDestinationPort = [new PortRange(4000)],
    };

    [Fact]
    public void The_original_direction_is_a_whole_tuple()
    {
        EntryKey key = ExactTuple.Of(Original with { Zone = [5], Id = [77] });
        Assert.Equal("tcp 192.0.2.1:4000 -> 198.51.100.7:80", key.Original.ToString());
        Assert.Equal((5, 77u, null), (key.Zone, key.Id, key.Reply));
    }

    [Fact]
    public void So_is_the_reply_alone()
    {
        EntryKey key = ExactTuple.Of(Reply with { ReplyZone = [6] });
        Assert.True(key.IsByReply);
        Assert.Equal("tcp 198.51.100.7:80 -> 192.0.2.1:4000", key.Reply.ToString());
        Assert.Equal((ushort?)6, key.ReplyZone);
    }

    [Fact]
    public void ICMP_is_told_by_type_code_and_id()
    {
        ConntrackFilter filter = Original with { Protocol = [IPProtocol.Icmp], SourcePort = [], DestinationPort = [], IcmpType = [8], IcmpCode = [0], IcmpId = [77] };
        ConntrackTuple tuple = ExactTuple.Of(filter).Original;
        Assert.Equal((77, 8 << 8, true), (tuple.SourcePort, tuple.DestinationPort, tuple.HasPorts));
        Refused("IcmpId", filter with { IcmpId = [] });
    }

    /// <summary>For every row of the table: each condition of a filter is in the key or is checked later. None is lost.</summary>
    [Fact]
    public void All_that_is_asked_counts()
    {
        foreach (TupleProperty property in TupleProperties.All)
        {
            IPProtocol protocol = property.Protocols is [IPProtocol first, ..] ? first : IPProtocol.Tcp;
            ConntrackFilter whole = protocol switch
            {
                IPProtocol.Icmp => Original with { Protocol = [protocol], SourcePort = [], DestinationPort = [], IcmpType = [8], IcmpCode = [0], IcmpId = [77] },
                IPProtocol.Gre => Original with { Protocol = [protocol], SourcePort = [], DestinationPort = [], GreSourceKey = [6], GreDestinationKey = [7] },
                _ => Original,
            };
            Assert.NotEqual(Meaning(One(property, whole, 13)), Meaning(One(property, whole, 14)));
        }

        static string Meaning(ConntrackFilter filter) => $"{ExactTuple.Of(filter).Original}; {ExactTuple.Rest(filter)}";

        static ConntrackFilter One(TupleProperty property, ConntrackFilter filter, byte value) => property.Ask(filter, property switch
        {
            AddressProperty => new[] { AddressPrefix.Parse($"192.0.2.{value}") },
            PortProperty => new[] { new PortRange(value) },
            _ => new long[] { value },
        });
    }

    [Fact]
    public void GRE_is_told_by_its_keys_and_other_protocols_by_addresses_alone()
    {
        ConntrackFilter filter = Original with { Protocol = [IPProtocol.Gre], SourcePort = [], DestinationPort = [], GreSourceKey = [6], GreDestinationKey = [7] };
        Assert.Equal((6, 7), (ExactTuple.Of(filter).Original.SourcePort, ExactTuple.Of(filter).Original.DestinationPort));
        Assert.False(ExactTuple.Of(filter with { Protocol = [(IPProtocol)50], GreSourceKey = [], GreDestinationKey = [] }).Original.HasPorts);
    }

    [Fact]
    public void Less_than_one_tuple_is_refused_by_the_name_that_is_missing()
    {
        Refused("Protocol", Original with { Protocol = [] });
        Refused("SourceAddress", Original with { SourceAddress = [] });
        Refused("DestinationPort", Original with { DestinationPort = [] });
        Refused("ReplyDestinationAddress", Reply with { ReplyDestinationAddress = [] });
        Refused("ReplySourcePort", Reply with { ReplySourcePort = [] });
    }

    [Fact]
    public void More_than_one_tuple_is_refused_too()
    {
        Refused("SourceAddress must be one address", Original with { SourceAddress = [AddressPrefix.Parse("192.0.2.0/24")] });
        Refused("DestinationPort must be one port", Original with { DestinationPort = [new PortRange(80, 81)] });
        Refused("Protocol", Original with { Protocol = [IPProtocol.Tcp, IPProtocol.Udp] });
        Refused("Zone", Original with { Zone = [1, 2] });
        Refused("different families", Original with { SourceAddress = [AddressPrefix.Parse("2001:db8::1")] });
    }

    private static void Refused(string problem, ConntrackFilter filter) =>
        Assert.Contains(problem, Assert.Throws<TemplateException>(() => ExactTuple.Of(filter)).Message, StringComparison.Ordinal);
}
