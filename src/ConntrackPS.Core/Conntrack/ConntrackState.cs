namespace ConntrackPS.Conntrack;

/// <summary>The state of a TCP, SCTP or DCCP connection, under the kernel's names.</summary>
/// <remarks>enum tcp_conntrack (linux/netfilter/nf_conntrack_tcp.h), enum sctp_conntrack (nf_conntrack_sctp.h), enum
/// ct_dccp_states. A name that protocols share stands once; <see cref="ConntrackStates"/> knows each protocol's number.
/// </remarks>
public enum ConntrackState : byte
{
    /// <summary>TCP_CONNTRACK_NONE.</summary>
    None = 0,

    /// <summary>TCP_CONNTRACK_SYN_SENT.</summary>
    SynSent,

    /// <summary>TCP_CONNTRACK_SYN_RECV.</summary>
    SynRecv,

    /// <summary>TCP_CONNTRACK_ESTABLISHED, SCTP_CONNTRACK_ESTABLISHED.</summary>
    Established,

    /// <summary>TCP_CONNTRACK_FIN_WAIT.</summary>
    FinWait,

    /// <summary>TCP_CONNTRACK_CLOSE_WAIT.</summary>
    CloseWait,

    /// <summary>TCP_CONNTRACK_LAST_ACK.</summary>
    LastAck,

    /// <summary>TCP_CONNTRACK_TIME_WAIT, CT_DCCP_TIMEWAIT.</summary>
    TimeWait,

    /// <summary>TCP_CONNTRACK_CLOSE.</summary>
    Close,

    /// <summary>TCP_CONNTRACK_SYN_SENT2: both ends sent a SYN.</summary>
    SynSent2,

    /// <summary>SCTP_CONNTRACK_CLOSED.</summary>
    Closed,

    /// <summary>SCTP_CONNTRACK_COOKIE_WAIT.</summary>
    CookieWait,

    /// <summary>SCTP_CONNTRACK_COOKIE_ECHOED.</summary>
    CookieEchoed,

    /// <summary>SCTP_CONNTRACK_SHUTDOWN_SENT.</summary>
    ShutdownSent,

    /// <summary>SCTP_CONNTRACK_SHUTDOWN_RECD.</summary>
    ShutdownRecd,

    /// <summary>SCTP_CONNTRACK_SHUTDOWN_ACK_SENT.</summary>
    ShutdownAckSent,

    /// <summary>SCTP_CONNTRACK_HEARTBEAT_SENT.</summary>
    HeartbeatSent,

    /// <summary>SCTP_CONNTRACK_HEARTBEAT_ACKED: kernels before 5.19.</summary>
    HeartbeatAcked,

    /// <summary>CT_DCCP_REQUEST.</summary>
    Request,

    /// <summary>CT_DCCP_RESPOND.</summary>
    Respond,

    /// <summary>CT_DCCP_PARTOPEN.</summary>
    PartOpen,

    /// <summary>CT_DCCP_OPEN.</summary>
    Open,

    /// <summary>CT_DCCP_CLOSEREQ.</summary>
    CloseReq,

    /// <summary>CT_DCCP_CLOSING.</summary>
    Closing,

    /// <summary>CT_DCCP_IGNORE.</summary>
    Ignore,

    /// <summary>CT_DCCP_INVALID.</summary>
    Invalid,

    /// <summary>From here on: a state this library doesn't know, plus the kernel's number for it.</summary>
    Unknown = 0x80,
}
