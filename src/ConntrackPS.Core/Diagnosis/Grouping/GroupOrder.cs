namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>What groups are sorted by.</summary>
public enum GroupOrder
{
    /// <summary>Entries.</summary>
    Count,

    /// <summary>Packets both ways; needs accounting (nf_conntrack_acct).</summary>
    TotalPackets,

    /// <summary>Bytes both ways; needs accounting.</summary>
    TotalBytes,

    /// <summary>Packets from the source; needs accounting.</summary>
    OriginalPackets,

    /// <summary>Bytes from the source; needs accounting.</summary>
    OriginalBytes,

    /// <summary>Packets of replies; needs accounting.</summary>
    ReplyPackets,

    /// <summary>Bytes of replies; needs accounting.</summary>
    ReplyBytes,

    /// <summary>Entries that are assured.</summary>
    Assured,

    /// <summary>Entries that have seen no reply.</summary>
    Unreplied,

    /// <summary>Entries in state SynSent: many from one source are a sign of a scan or a flood.</summary>
    SynSent,

    /// <summary>Entries in state Established.</summary>
    Established,

    /// <summary>Entries in state TimeWait.</summary>
    TimeWait,

    /// <summary>Bits per second both ways; needs two passes, and accounting.</summary>
    BitsPerSecond,

    /// <summary>Packets per second both ways; needs two passes, and accounting.</summary>
    PacketsPerSecond,

    /// <summary>New entries per second; needs two passes.</summary>
    NewPerSecond,

    /// <summary>Ended entries per second; needs two passes.</summary>
    ClosedPerSecond,
}
