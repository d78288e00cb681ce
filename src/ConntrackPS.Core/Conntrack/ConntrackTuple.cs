using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>One direction of a connection, as the kernel keys it (struct nf_conntrack_tuple).</summary>
public readonly record struct ConntrackTuple
{
    /// <summary>The address family.</summary>
    public IPFamily Family { get; init; }

    /// <summary>The layer 4 protocol (CTA_PROTO_NUM).</summary>
    public IPProtocol Protocol { get; init; }

    /// <summary>True where the protocol has something like ports: a port, an ICMP id, a GRE key.</summary>
    public bool HasPorts { get; init; }

    /// <summary>The source's port, GRE key or, for ICMP, the id.</summary>
    public ushort SourcePort { get; init; }

    /// <summary>The destination's port or GRE key; for ICMP the type in the upper byte and the code in the lower.</summary>
    public ushort DestinationPort { get; init; }

    /// <summary>The source address (CTA_IP_V4_SRC, CTA_IP_V6_SRC).</summary>
    public AddressBits Source { get; init; }

    /// <summary>The destination address (CTA_IP_V4_DST, CTA_IP_V6_DST).</summary>
    public AddressBits Destination { get; init; }

    /// <summary>True for ICMP and ICMPv6.</summary>
    public bool IsIcmp => Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6;

    /// <summary>True for the protocols that always have ports or keys.</summary>
    public bool MustHavePorts =>
        Protocol is IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.UdpLite or IPProtocol.Sctp or IPProtocol.Gre;

    /// <summary>True for the protocols that have ports or keys on some kernel: DCCP has none where the kernel doesn't track it.</summary>
    internal bool MayHavePorts => MustHavePorts || Protocol == IPProtocol.Dccp;

    /// <summary>True where the tuple says all that the kernel tells flows apart by. Text may leave parts out: conntrack's XML
    /// has no type, code and id of ICMP. A kernel may track protocols other than TCP, UDP and ICMP by address alone.</summary>
    public bool IsWhole => MissingParts is null;

    /// <summary>What is missing of the tuple, by the names of properties; null for nothing.</summary>
    internal string? MissingParts => this switch
    {
        { Family: IPFamily.Unspecified } => "SourceAddress, DestinationAddress",
        { HasPorts: true } => null,
        { IsIcmp: true } => "IcmpType, IcmpCode, IcmpId",
        { Protocol: IPProtocol.Tcp or IPProtocol.Udp } => "SourcePort, DestinationPort",
        _ => null,
    };

    /// <summary>The direction on one line: <c>tcp 192.0.2.1:4000 -> 198.51.100.7:80</c>.</summary>
    public override string ToString()
    {
        string protocol = ProtocolNames.ToKernel(Protocol);
        string source = Source.ToString(Family), destination = Destination.ToString(Family);
        if (!HasPorts)
            return $"{protocol} {source} -> {destination}";
        if (IsIcmp)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{protocol} {source} -> {destination} type {DestinationPort >> 8} code {DestinationPort & 0xff} id {SourcePort}");
        return Family == IPFamily.IPv6
            ? string.Create(CultureInfo.InvariantCulture, $"{protocol} [{source}]:{SourcePort} -> [{destination}]:{DestinationPort}")
            : string.Create(CultureInfo.InvariantCulture, $"{protocol} {source}:{SourcePort} -> {destination}:{DestinationPort}");
    }
}
