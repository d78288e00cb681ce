using System.Globalization;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What a listing showed was deleted, but the listing was not whole: entries that were meant may be left.</summary>
/// <param name="summary">What was deleted.</param>
/// <param name="listing">What was wrong with the listing.</param>
public sealed class IncompleteDeletionException(DeleteSummary summary, IncompleteListingException listing)
    : IncompleteListingException(
        string.Create(CultureInfo.InvariantCulture, $"{summary.Deleted} entries were deleted, and others that were meant may be left. {listing.Message}"),
        listing.Attempts,
        listing)
{
    /// <summary>What was deleted all the same.</summary>
    public DeleteSummary Summary { get; } = summary;
}
