namespace ConntrackPS.Conntrack;

/// <summary>What TCP tracking noted of one direction (IP_CT_TCP_FLAG_*, linux/netfilter/nf_conntrack_tcp.h).</summary>
[Flags]
public enum TcpTrackingFlags : byte
{
    /// <summary>Nothing noted.</summary>
    None = 0,

    /// <summary>IP_CT_TCP_FLAG_WINDOW_SCALE: the sender offered window scaling.</summary>
    WindowScale = 0x01,

    /// <summary>IP_CT_TCP_FLAG_SACK_PERM: the sender permits selective acknowledgement.</summary>
    SackPerm = 0x02,

    /// <summary>IP_CT_TCP_FLAG_CLOSE_INIT: the sender sent FIN first.</summary>
    CloseInit = 0x04,

    /// <summary>IP_CT_TCP_FLAG_BE_LIBERAL: no window checking.</summary>
    BeLiberal = 0x08,

    /// <summary>IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED: data of the sender is not acknowledged yet.</summary>
    DataUnacknowledged = 0x10,

    /// <summary>IP_CT_TCP_FLAG_MAXACK_SET: the highest acknowledgement is known.</summary>
    MaxackSet = 0x20,

    /// <summary>IP_CT_EXP_CHALLENGE_ACK: an RFC 5961 challenge ACK may come.</summary>
    ExpChallengeAck = 0x40,

    /// <summary>IP_CT_TCP_SIMULTANEOUS_OPEN: both ends opened at once.</summary>
    SimultaneousOpen = 0x80,
}
