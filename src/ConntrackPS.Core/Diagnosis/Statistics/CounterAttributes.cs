namespace ConntrackPS.Diagnosis.Statistics;

/// <summary>CTA_STATS_* (enum ctattr_stats_cpu, linux/netfilter/nfnetlink_conntrack.h); those no longer sent are left out.</summary>
internal enum CpuStatsAttribute : ushort
{
    Found = 2,
    Invalid = 4,
    Insert = 8,
    InsertFailed,
    Drop,
    EarlyDrop,
    Error,
    SearchRestart,
    ClashResolve,
    ChainToolong,
}

/// <summary>CTA_STATS_EXP_* (enum ctattr_expect_stats).</summary>
internal enum ExpectationStatsAttribute : ushort
{
    New = 1,
    Create,
    Delete,
}
