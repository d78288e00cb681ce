namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The states of a connection that have a timeout of their own (CTA_TIMEOUT_*,
/// linux/netfilter/nfnetlink_cttimeout.h). The numbers are this library's.</summary>
public enum TimeoutState
{
    /// <summary>TCP: the first SYN.</summary>
    SynSent = 1,

    /// <summary>TCP: SYN and ACK.</summary>
    SynRecv,

    /// <summary>TCP, SCTP: set up.</summary>
    Established,

    /// <summary>TCP: the first FIN.</summary>
    FinWait,

    /// <summary>TCP: the FIN is acknowledged.</summary>
    CloseWait,

    /// <summary>TCP: the second FIN.</summary>
    LastAck,

    /// <summary>TCP, DCCP: both FINs are acknowledged.</summary>
    TimeWait,

    /// <summary>TCP: reset.</summary>
    Close,

    /// <summary>TCP: both ends sent a SYN. There is no sysctl for it.</summary>
    SynSent2,

    /// <summary>TCP: after nf_conntrack_tcp_max_retrans retransmissions (nf_conntrack_tcp_timeout_max_retrans).</summary>
    Retrans,

    /// <summary>TCP: data that nobody acknowledged.</summary>
    Unacknowledged,

    /// <summary>UDP, UDP-Lite, GRE: packets went one way only.</summary>
    Unreplied,

    /// <summary>UDP, UDP-Lite, GRE: packets went both ways (the stream timeout of the sysctls).</summary>
    Replied,

    /// <summary>SCTP: aborted.</summary>
    Closed,

    /// <summary>SCTP: INIT.</summary>
    CookieWait,

    /// <summary>SCTP: COOKIE_ECHO.</summary>
    CookieEchoed,

    /// <summary>SCTP: SHUTDOWN of the original direction.</summary>
    ShutdownSent,

    /// <summary>SCTP: SHUTDOWN of the reply direction.</summary>
    ShutdownRecd,

    /// <summary>SCTP: SHUTDOWN_ACK.</summary>
    ShutdownAckSent,

    /// <summary>SCTP: HEARTBEAT on another path.</summary>
    HeartbeatSent,

    /// <summary>SCTP: HEARTBEAT_ACK, on older kernels.</summary>
    HeartbeatAcked,

    /// <summary>DCCP: REQUEST.</summary>
    Request,

    /// <summary>DCCP: RESPONSE.</summary>
    Respond,

    /// <summary>DCCP: the client's first ACK.</summary>
    PartOpen,

    /// <summary>DCCP: set up.</summary>
    Open,

    /// <summary>DCCP: CLOSEREQ.</summary>
    CloseReq,

    /// <summary>DCCP: CLOSE.</summary>
    Closing,
}

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
