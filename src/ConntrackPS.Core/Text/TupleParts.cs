using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>What a text says of one direction.</summary>
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

/// <summary>What text has of each protocol.</summary>
internal static class ProtocolText
{
    /// <summary>What connection tracking tells protocols' flows apart by, beside addresses.</summary>
    public static TupleParts PartsOf(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.UdpLite or IPProtocol.Sctp or IPProtocol.Dccp => TupleParts.Ports,
        IPProtocol.Icmp or IPProtocol.IcmpV6 => TupleParts.Icmp,
        IPProtocol.Gre => TupleParts.Keys,
        _ => TupleParts.None,
    };

    /// <summary>What must be there: a kernel may track all but TCP, UDP and ICMP by address alone.</summary>
    public static TupleParts NeededParts(IPProtocol protocol, TupleParts given) =>
        protocol is IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.Icmp or IPProtocol.IcmpV6 || (given & ~TupleParts.Addresses) != 0
            ? PartsOf(protocol)
            : TupleParts.None;

    /// <summary>True for protocols that connection tracking keeps a state of.</summary>
    public static bool HasState(IPProtocol protocol) => protocol is IPProtocol.Tcp or IPProtocol.Sctp or IPProtocol.Dccp;
}
