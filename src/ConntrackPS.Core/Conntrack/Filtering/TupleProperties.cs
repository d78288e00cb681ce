using System.Diagnostics.CodeAnalysis;
using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>The table of all filter properties for addresses, ports, and the ICMP and GRE values in place of ports. To add one, add it
/// here, to <see cref="ConntrackFilter"/> and to the parameters. No other code has their names.</summary>
internal static class TupleProperties
{
    /// <summary>DCCP has ports if the kernel tracks it (up to 6.17), and none otherwise.</summary>
    public static readonly IReadOnlyList<IPProtocol> WithPorts = [IPProtocol.Tcp, IPProtocol.Udp, IPProtocol.UdpLite, IPProtocol.Sctp, IPProtocol.Dccp];

    /// <summary>ICMP and ICMPv6: the same properties select the type, code and id of both.</summary>
    public static readonly IReadOnlyList<IPProtocol> Icmp = [IPProtocol.Icmp, IPProtocol.IcmpV6];

    /// <summary>The type is in the upper byte of the destination port.</summary>
    public static readonly NumberProperty<byte> IcmpType = new(
        nameof(ConntrackFilter.IcmpType), "ICMP type", TuplePlaces.OriginalDestination, filter => filter.IcmpType, (filter, values) => filter with { IcmpType = values })
    {
        Meaning = "the ICMP type of the first packet",
        Protocols = Icmp,
        Reader = entry => entry.IcmpType,
        Numbers = type => [new PortRange(type << 8, type << 8 | byte.MaxValue)],
        Fields = (TupleFields.IcmpType, TupleFields.IcmpV6Type),
    };

    /// <summary>The code is in the lower byte of the destination port.</summary>
    public static readonly NumberProperty<byte> IcmpCode = new(
        nameof(ConntrackFilter.IcmpCode), "ICMP code", TuplePlaces.OriginalDestination, filter => filter.IcmpCode, (filter, values) => filter with { IcmpCode = values })
    {
        Meaning = "the ICMP code of the first packet",
        Protocols = Icmp,
        Reader = entry => entry.IcmpCode,
        Numbers = code => Enumerable.Range(0, 256).Select(type => new PortRange(type << 8 | code)),
        Fields = (TupleFields.IcmpCode, TupleFields.IcmpV6Code),
    };

    /// <summary>The id is in place of the source port.</summary>
    public static readonly NumberProperty<ushort> IcmpId = new(
        nameof(ConntrackFilter.IcmpId), "ICMP id", TuplePlaces.OriginalSource, filter => filter.IcmpId, (filter, values) => filter with { IcmpId = values })
    {
        Meaning = "the ICMP identifier",
        Protocols = Icmp,
        Reader = entry => entry.IcmpId,
        Numbers = id => [new PortRange(id)],
        Fields = (TupleFields.IcmpId, TupleFields.IcmpV6Id),
    };

    /// <summary>The key is in place of the source port.</summary>
    public static readonly NumberProperty<ushort> GreSourceKey = new(
        nameof(ConntrackFilter.GreSourceKey), "GRE source key", TuplePlaces.OriginalSource, filter => filter.GreSourceKey, (filter, values) => filter with { GreSourceKey = values })
    {
        Meaning = "the GRE key of the source",
        Protocols = [IPProtocol.Gre],
        Reader = entry => entry.GreSourceKey,
        Numbers = key => [new PortRange(key)],
    };

    /// <summary>The key is in place of the destination port.</summary>
    public static readonly NumberProperty<ushort> GreDestinationKey = new(
        nameof(ConntrackFilter.GreDestinationKey), "GRE destination key", TuplePlaces.OriginalDestination, filter => filter.GreDestinationKey, (filter, values) => filter with { GreDestinationKey = values })
    {
        Meaning = "the GRE key of the destination",
        Protocols = [IPProtocol.Gre],
        Reader = entry => entry.GreDestinationKey,
        Numbers = key => [new PortRange(key)],
    };

    /// <summary>All properties: addresses, ports, and the others. In each group, first those of the tuples, then those of translated
    /// ends.</summary>
    public static readonly IReadOnlyList<TupleProperty> All =
    [
        new AddressProperty(nameof(ConntrackFilter.SourceAddress), "source address", TuplePlaces.OriginalSource, filter => filter.SourceAddress, (filter, values) => filter with { SourceAddress = values })
        {
            Meaning = "where the first packet came from",
        },
        new AddressProperty(nameof(ConntrackFilter.DestinationAddress), "destination address", TuplePlaces.OriginalDestination, filter => filter.DestinationAddress, (filter, values) => filter with { DestinationAddress = values })
        {
            Meaning = "where the first packet was sent to, before translation",
        },
        new AddressProperty(nameof(ConntrackFilter.ReplySourceAddress), "reply source address", TuplePlaces.ReplySource, filter => filter.ReplySourceAddress, (filter, values) => filter with { ReplySourceAddress = values })
        {
            Meaning = "where replies come from",
        },
        new AddressProperty(nameof(ConntrackFilter.ReplyDestinationAddress), "reply destination address", TuplePlaces.ReplyDestination, filter => filter.ReplyDestinationAddress, (filter, values) => filter with { ReplyDestinationAddress = values })
        {
            Meaning = "where replies go to",
        },
        new AddressProperty(nameof(ConntrackFilter.Address), "any address", TuplePlaces.All, filter => filter.Address, (filter, values) => filter with { Address = values }),
        new AddressProperty(nameof(ConntrackFilter.TranslatedSourceAddress), "source translated to", TuplePlaces.ReplyDestination, filter => filter.TranslatedSourceAddress, (filter, values) => filter with { TranslatedSourceAddress = values })
        {
            Meaning = "what replaces the source",
            IsTranslated = true,
        },
        new AddressProperty(nameof(ConntrackFilter.TranslatedDestinationAddress), "destination translated to", TuplePlaces.ReplySource, filter => filter.TranslatedDestinationAddress, (filter, values) => filter with { TranslatedDestinationAddress = values })
        {
            Meaning = "what replaces the destination",
            IsTranslated = true,
        },
        new AddressProperty(nameof(ConntrackFilter.TranslatedAddress), "source or destination translated to", TuplePlaces.Reply, filter => filter.TranslatedAddress, (filter, values) => filter with { TranslatedAddress = values })
        {
            IsTranslated = true,
        },
        new PortProperty(nameof(ConntrackFilter.SourcePort), "source port", TuplePlaces.OriginalSource, filter => filter.SourcePort, (filter, values) => filter with { SourcePort = values })
        {
            Meaning = "the first packet's source port",
            Protocols = WithPorts,
        },
        new PortProperty(nameof(ConntrackFilter.DestinationPort), "destination port", TuplePlaces.OriginalDestination, filter => filter.DestinationPort, (filter, values) => filter with { DestinationPort = values })
        {
            Meaning = "the first packet's destination port, before translation",
            Protocols = WithPorts,
        },
        new PortProperty(nameof(ConntrackFilter.ReplySourcePort), "reply source port", TuplePlaces.ReplySource, filter => filter.ReplySourcePort, (filter, values) => filter with { ReplySourcePort = values })
        {
            Meaning = "the port replies come from",
            Protocols = WithPorts,
        },
        new PortProperty(nameof(ConntrackFilter.ReplyDestinationPort), "reply destination port", TuplePlaces.ReplyDestination, filter => filter.ReplyDestinationPort, (filter, values) => filter with { ReplyDestinationPort = values })
        {
            Meaning = "the port replies go to",
            Protocols = WithPorts,
        },
        new PortProperty(nameof(ConntrackFilter.Port), "any port", TuplePlaces.All, filter => filter.Port, (filter, values) => filter with { Port = values })
        {
            Protocols = WithPorts,
        },
        new PortProperty(nameof(ConntrackFilter.TranslatedSourcePort), "source port translated to", TuplePlaces.ReplyDestination, filter => filter.TranslatedSourcePort, (filter, values) => filter with { TranslatedSourcePort = values })
        {
            Meaning = "what replaces the source port",
            Protocols = WithPorts,
            IsTranslated = true,
        },
        new PortProperty(nameof(ConntrackFilter.TranslatedDestinationPort), "destination port translated to", TuplePlaces.ReplySource, filter => filter.TranslatedDestinationPort, (filter, values) => filter with { TranslatedDestinationPort = values })
        {
            Meaning = "what replaces the destination port",
            Protocols = WithPorts,
            IsTranslated = true,
        },
        new PortProperty(nameof(ConntrackFilter.TranslatedPort), "source or destination port translated to", TuplePlaces.Reply, filter => filter.TranslatedPort, (filter, values) => filter with { TranslatedPort = values })
        {
            Protocols = WithPorts,
            IsTranslated = true,
        },
        IcmpType,
        IcmpCode,
        IcmpId,
        GreSourceKey,
        GreDestinationKey,
    ];

    private static readonly Dictionary<string, TupleProperty> ByName = All.ToDictionary(property => property.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The properties for addresses.</summary>
    public static IEnumerable<AddressProperty> Addresses => All.OfType<AddressProperty>();

    /// <summary>Finds a property by its name, in any case.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out TupleProperty? property) => ByName.TryGetValue(name, out property);

    /// <summary>The property with an existing name.</summary>
    public static TupleProperty Named(string name) => ByName[name];

    /// <summary>The property itself, or the properties that it combines: source and destination, of translated ends or of the first
    /// packet.</summary>
    public static IEnumerable<TupleProperty> EndsOf(TupleProperty property)
    {
        if (property.HasOnePlace)
            return [property];
        TuplePlaces places = property.IsTranslated ? TuplePlaces.Reply : TuplePlaces.Original;
        return All.Where(end => end.GetType() == property.GetType() && end.HasOnePlace && end.IsTranslated == property.IsTranslated
            && (end.Places & property.Places & places) != 0);
    }

    /// <summary>The address property of one place, whether translated or not.</summary>
    public static AddressProperty AddressIn(TuplePlaces place) => Addresses.First(property => property.Places == place && !property.IsTranslated);

    /// <summary>The port property of one place, whether translated or not.</summary>
    public static PortProperty PortIn(TuplePlaces place) => All.OfType<PortProperty>().First(property => property.Places == place && !property.IsTranslated);
}
