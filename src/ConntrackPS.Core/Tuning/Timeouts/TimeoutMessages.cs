namespace ConntrackPS.Tuning.Timeouts;

/// <summary>Messages of subsystem NFNL_SUBSYS_CTNETLINK_TIMEOUT (enum ctnl_timeout_msg_types,
/// linux/netfilter/nfnetlink_cttimeout.h).</summary>
internal enum TimeoutMessage : ushort
{
    New = 0x800,
    Get,
    Delete,
    DefaultSet,
    DefaultGet,
}

/// <summary>CTA_TIMEOUT_* (enum ctattr_timeout).</summary>
internal enum TimeoutAttribute : ushort
{
    Name = 1,
    L3proto,
    L4proto,
    Data,
    Use,
}
