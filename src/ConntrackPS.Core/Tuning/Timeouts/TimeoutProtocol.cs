namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The protocols whose timeouts connection tracking keeps apart, by their IANA numbers.</summary>
public enum TimeoutProtocol : byte
{
    /// <summary>IPPROTO_ICMP.</summary>
    Icmp = 1,

    /// <summary>IPPROTO_TCP.</summary>
    Tcp = 6,

    /// <summary>IPPROTO_UDP.</summary>
    Udp = 17,

    /// <summary>IPPROTO_DCCP: kernels before 6.17.</summary>
    Dccp = 33,

    /// <summary>IPPROTO_GRE.</summary>
    Gre = 47,

    /// <summary>IPPROTO_ICMPV6.</summary>
    IcmpV6 = 58,

    /// <summary>IPPROTO_SCTP.</summary>
    Sctp = 132,

    /// <summary>IPPROTO_UDPLITE: UDP's timeouts under another name.</summary>
    UdpLite = 136,

    /// <summary>All others; IPPROTO_RAW to the kernel.</summary>
    Generic = 255,
}
