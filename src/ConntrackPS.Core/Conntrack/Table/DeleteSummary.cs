namespace ConntrackPS.Conntrack.Table;

/// <summary>What a deletion by filter came to.</summary>
/// <param name="Deleted">Entries deleted.</param>
/// <param name="AlreadyGone">Entries that went by themselves between listing and deleting.</param>
/// <param name="Failed">Entries that the kernel refused to delete.</param>
/// <param name="IsEstimate">True where the kernel deleted all at once, and <paramref name="Deleted"/> is the difference
/// of the table's count before and after.</param>
public readonly record struct DeleteSummary(long Deleted, long AlreadyGone, long Failed, bool IsEstimate);
