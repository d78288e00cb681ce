namespace ConntrackPS.Conntrack.Filtering;

/// <summary>What the planner may ask of the kernel. All of it, usually: a kernel that ignores or refuses something
/// gives the same answer, only slower. Less for tests, which play older kernels.</summary>
[Flags]
internal enum KernelFeatures
{
    None = 0,

    /// <summary>nfgen_family selects in a dump (4.20).</summary>
    Family = 1 << 0,

    /// <summary>CTA_MARK with CTA_MARK_MASK selects (3.x).</summary>
    Mark = 1 << 1,

    /// <summary>CTA_FILTER selects by tuple in a dump (5.8).</summary>
    Tuple = 1 << 2,

    /// <summary>CTA_STATUS with CTA_STATUS_MASK selects (5.15).</summary>
    Status = 1 << 3,

    /// <summary>CTA_ZONE selects (6.8).</summary>
    Zone = 1 << 4,

    /// <summary>CTA_FILTER selects in a deletion too (6.12).</summary>
    FilteredFlush = 1 << 5,

    All = Family | Mark | Tuple | Status | Zone | FilteredFlush,
}
