namespace ConntrackPS.Expectations;

/// <summary>How an expectation behaves (NF_CT_EXPECT_*, linux/netfilter/nf_conntrack_common.h).</summary>
[Flags]
public enum ExpectationFlags : uint
{
    /// <summary>No bit is set: it goes with the first connection that it meets.</summary>
    None = 0,

    /// <summary>NF_CT_EXPECT_PERMANENT: it stays when a connection meets it, until its time is up.</summary>
    Permanent = 1 << 0,

    /// <summary>NF_CT_EXPECT_INACTIVE: it meets no connection yet.</summary>
    Inactive = 1 << 1,

    /// <summary>NF_CT_EXPECT_USERSPACE: a helper in user space made it; the kernel clears the bit in requests.</summary>
    Userspace = 1 << 2,
}
