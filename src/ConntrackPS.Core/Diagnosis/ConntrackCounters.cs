using ConntrackPS.Diagnosis.Statistics;

namespace ConntrackPS.Diagnosis;

/// <summary>What the kernel counts, since it booted or the network namespace was made. Null: this kernel has no such counter.</summary>
/// <remarks>struct ip_conntrack_stat; CTA_STATS_* and CTA_STATS_EXP_* of linux/netfilter/nfnetlink_conntrack.h. The
/// kernel keeps 32 bits for each processor, which wrap: for changes use rates, which know that.</remarks>
public abstract class ConntrackCounters
{
    private readonly CounterValues _values;

    private protected ConntrackCounters(CounterValues values) => _values = values;

    /// <summary>Tuples that translation found taken (found).</summary>
    public ulong? Found => _values[Counter.Found];

    /// <summary>Packets that belong to no connection and can't begin one (invalid).</summary>
    public ulong? Invalid => _values[Counter.Invalid];

    /// <summary>Entries inserted by netlink; those that packets make are not counted (insert).</summary>
    public ulong? Insert => _values[Counter.Insert];

    /// <summary>Entries that were not inserted, since their tuple was taken meanwhile (insert_failed).</summary>
    public ulong? InsertFailed => _values[Counter.InsertFailed];

    /// <summary>Packets dropped, since the table was full or memory short, or a clash could not be resolved (drop).</summary>
    public ulong? Drop => _values[Counter.Drop];

    /// <summary>Entries deleted to make room in a full table; never assured ones (early_drop).</summary>
    public ulong? EarlyDrop => _values[Counter.EarlyDrop];

    /// <summary>Packets that a protocol's check refused, ICMP errors among them (error, icmp_error).</summary>
    public ulong? Error => _values[Counter.Error];

    /// <summary>Look-ups begun again, since the table was resized or an entry moved (search_restart).</summary>
    public ulong? SearchRestart => _values[Counter.SearchRestart];

    /// <summary>Clashes of two packets that began the same connection, resolved (clash_resolve; Linux 5.10).</summary>
    public ulong? ClashResolve => _values[Counter.ClashResolve];

    /// <summary>Entries refused, since their hash chain was too long (chaintoolong; Linux 5.15).</summary>
    public ulong? ChainTooLong => _values[Counter.ChainTooLong];

    /// <summary>Connections that had been expected (expect_new).</summary>
    public ulong? ExpectationNew => _values[Counter.ExpectationNew];

    /// <summary>Expectations made (expect_create).</summary>
    public ulong? ExpectationCreate => _values[Counter.ExpectationCreate];

    /// <summary>Expectations deleted (expect_delete).</summary>
    public ulong? ExpectationDelete => _values[Counter.ExpectationDelete];
}
