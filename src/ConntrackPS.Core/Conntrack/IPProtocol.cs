namespace ConntrackPS.Conntrack;

/// <summary>A layer 4 protocol by its IANA number (linux/in.h, IPPROTO_*); numbers without a name here are valid too.</summary>
public enum IPProtocol : byte
{
    /// <summary>IPPROTO_IP, which connection tracking calls generic.</summary>
    Ip = 0,

    /// <summary>IPPROTO_ICMP.</summary>
    Icmp = 1,

    /// <summary>IPPROTO_IGMP.</summary>
    Igmp = 2,

    /// <summary>IPPROTO_IPIP: IPv4 in IP.</summary>
    IpIp = 4,

    /// <summary>IPPROTO_TCP.</summary>
    Tcp = 6,

    /// <summary>IPPROTO_UDP.</summary>
    Udp = 17,

    /// <summary>IPPROTO_DCCP.</summary>
    Dccp = 33,

    /// <summary>IPPROTO_IPV6: IPv6 in IP.</summary>
    IPv6 = 41,

    /// <summary>IPPROTO_GRE.</summary>
    Gre = 47,

    /// <summary>IPPROTO_ESP.</summary>
    Esp = 50,

    /// <summary>IPPROTO_AH.</summary>
    Ah = 51,

    /// <summary>IPPROTO_ICMPV6.</summary>
    IcmpV6 = 58,

    /// <summary>OSPF (IANA 89).</summary>
    Ospf = 89,

    /// <summary>IPPROTO_PIM.</summary>
    Pim = 103,

    /// <summary>VRRP (IANA 112).</summary>
    Vrrp = 112,

    /// <summary>IPPROTO_L2TP.</summary>
    L2tp = 115,

    /// <summary>IPPROTO_SCTP.</summary>
    Sctp = 132,

    /// <summary>IPPROTO_UDPLITE.</summary>
    UdpLite = 136,
}
