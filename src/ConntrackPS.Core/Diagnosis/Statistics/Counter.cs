namespace ConntrackPS.Diagnosis.Statistics;

/// <summary>The counters that the kernel keeps for each processor (struct ip_conntrack_stat).</summary>
internal enum Counter
{
    Found,
    Invalid,
    Insert,
    InsertFailed,
    Drop,
    EarlyDrop,
    Error,
    SearchRestart,
    ClashResolve,
    ChainTooLong,
    ExpectationNew,
    ExpectationCreate,
    ExpectationDelete,
}
