using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>The values that a text has for one direction.</summary>
[Flags]
internal enum TupleParts : ushort
{
    None = 0,
    Source = 1 << 0,
    Destination = 1 << 1,
    SourcePort = 1 << 2,
    DestinationPort = 1 << 3,
    IcmpType = 1 << 4,
    IcmpCode = 1 << 5,
    IcmpId = 1 << 6,
    SourceKey = 1 << 7,
    DestinationKey = 1 << 8,

    Addresses = Source | Destination,
    Ports = SourcePort | DestinationPort,
    Icmp = IcmpType | IcmpCode | IcmpId,
    Keys = SourceKey | DestinationKey,
}

/// <summary>The values that text has for each protocol.</summary>
internal static class ProtocolText
{
    /// <summary>The values, besides addresses, that connection tracking identifies a protocol's flows by.</summary>
    public static TupleParts PartsOf(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.UdpLite or IPProtocol.Sctp or IPProtocol.Dccp => TupleParts.Ports,
        IPProtocol.Icmp or IPProtocol.IcmpV6 => TupleParts.Icmp,
        IPProtocol.Gre => TupleParts.Keys,
        _ => TupleParts.None,
    };

    /// <summary>The required values. A kernel may track all protocols but TCP, UDP and ICMP only by addresses.</summary>
    public static TupleParts NeededParts(IPProtocol protocol, TupleParts given) =>
        protocol is IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.Icmp or IPProtocol.IcmpV6 || (given & ~TupleParts.Addresses) != 0
            ? PartsOf(protocol)
            : TupleParts.None;

    /// <summary>True for protocols that have a state in connection tracking.</summary>
    public static bool HasState(IPProtocol protocol) => protocol is IPProtocol.Tcp or IPProtocol.Sctp or IPProtocol.Dccp;
}
