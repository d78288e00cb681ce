namespace ConntrackPS.Conntrack.Wire;

/// <summary>Messages of subsystem NFNL_SUBSYS_CTNETLINK (enum cntl_msg_types, linux/netfilter/nfnetlink_conntrack.h).</summary>
internal enum ConntrackMessage : ushort
{
    New = 0x100,
    Get,
    Delete,
    GetCtrzero,
    GetStatsCpu,
    GetStats,
    GetDying,
    GetUnconfirmed,
}

/// <summary>CTA_* (enum ctattr_type).</summary>
internal enum EntryAttribute : ushort
{
    TupleOrig = 1,
    TupleReply,
    Status,
    Protoinfo,
    Help,
    NatSrc,
    Timeout,
    Mark,
    CountersOrig,
    CountersReply,
    Use,
    Id,
    NatDst,
    TupleMaster,
    SeqAdjOrig,
    SeqAdjReply,
    Secmark,
    Zone,
    Secctx,
    Timestamp,
    MarkMask,
    Labels,
    LabelsMask,
    Synproxy,
    Filter,
    StatusMask,

    /// <summary>Since Linux 6.14.</summary>
    TimestampEvent,
}

/// <summary>CTA_TUPLE_* (enum ctattr_tuple).</summary>
internal enum TupleAttribute : ushort
{
    Ip = 1,
    Proto,
    Zone,
}

/// <summary>CTA_IP_* (enum ctattr_ip).</summary>
internal enum AddressAttribute : ushort
{
    V4Src = 1,
    V4Dst,
    V6Src,
    V6Dst,
}

/// <summary>CTA_PROTO_* (enum ctattr_l4proto).</summary>
internal enum ProtocolAttribute : ushort
{
    Num = 1,
    SrcPort,
    DstPort,
    IcmpId,
    IcmpType,
    IcmpCode,
    Icmpv6Id,
    Icmpv6Type,
    Icmpv6Code,
}

/// <summary>CTA_PROTOINFO_* (enum ctattr_protoinfo).</summary>
internal enum ProtoinfoAttribute : ushort
{
    Tcp = 1,
    Dccp,
    Sctp,
}

/// <summary>CTA_PROTOINFO_TCP_* (enum ctattr_protoinfo_tcp).</summary>
internal enum TcpAttribute : ushort
{
    State = 1,
    WscaleOriginal,
    WscaleReply,
    FlagsOriginal,
    FlagsReply,
}

/// <summary>CTA_PROTOINFO_DCCP_* (enum ctattr_protoinfo_dccp).</summary>
internal enum DccpAttribute : ushort
{
    State = 1,
    Role,
    HandshakeSeq,
}

/// <summary>CTA_PROTOINFO_SCTP_* (enum ctattr_protoinfo_sctp).</summary>
internal enum SctpAttribute : ushort
{
    State = 1,
    VtagOriginal,
    VtagReply,
}

/// <summary>CTA_COUNTERS_* (enum ctattr_counters).</summary>
internal enum CounterAttribute : ushort
{
    Packets = 1,
    Bytes,
}

/// <summary>CTA_TIMESTAMP_* (enum ctattr_tstamp).</summary>
internal enum TimestampAttribute : ushort
{
    Start = 1,
    Stop,
}

/// <summary>CTA_SEQADJ_* (enum ctattr_seqadj).</summary>
internal enum SequenceAttribute : ushort
{
    CorrectionPos = 1,
    OffsetBefore,
    OffsetAfter,
}

/// <summary>CTA_SYNPROXY_* (enum ctattr_synproxy).</summary>
internal enum SynproxyAttribute : ushort
{
    Isn = 1,
    Its,
    Tsoff,
}

/// <summary>CTA_HELP_* (enum ctattr_help).</summary>
internal enum HelperAttribute : ushort
{
    Name = 1,
    Info,
}

/// <summary>CTA_SECCTX_* (enum ctattr_secctx).</summary>
internal enum SecurityAttribute : ushort
{
    Name = 1,
}

/// <summary>CTA_FILTER_* (enum ctattr_filter).</summary>
internal enum FilterAttribute : ushort
{
    OrigFlags = 1,
    ReplyFlags,
}

/// <summary>CTA_NAT_* (enum ctattr_nat).</summary>
internal enum NatAttribute : ushort
{
    V4Minip = 1,
    V4Maxip,
    Proto,
    V6Minip,
    V6Maxip,
}

/// <summary>CTA_PROTONAT_* (enum ctattr_protonat).</summary>
internal enum NatProtocolAttribute : ushort
{
    PortMin = 1,
    PortMax,
}

/// <summary>CTA_STATS_GLOBAL_* (enum ctattr_stats_global).</summary>
internal enum StatsAttribute : ushort
{
    Entries = 1,
    MaxEntries,
}
