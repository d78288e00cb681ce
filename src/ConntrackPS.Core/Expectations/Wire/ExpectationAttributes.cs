namespace ConntrackPS.Expectations.Wire;

/// <summary>Messages of subsystem NFNL_SUBSYS_CTNETLINK_EXP (enum ctnl_exp_msg_types, linux/netfilter/nfnetlink_conntrack.h).</summary>
internal enum ExpectationMessage : ushort
{
    New = 0x200,
    Get,
    Delete,
    GetStatsCpu,
}

/// <summary>CTA_EXPECT_* (enum ctattr_expect).</summary>
internal enum ExpectationAttribute : ushort
{
    Master = 1,
    Tuple,
    Mask,
    Timeout,
    Id,
    HelpName,
    Zone,
    Flags,
    Class,
    Nat,
    Fn,
}

/// <summary>CTA_EXPECT_NAT_* (enum ctattr_expect_nat).</summary>
internal enum ExpectationNatAttribute : ushort
{
    Dir = 1,
    Tuple,
}
