using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Deletes the entries that match a filter by the fastest safe method: by one guarded request if the kernel can apply the whole
/// filter, otherwise by listing and deleting in batches, in parallel.</summary>
internal sealed class FilterDeletion(
    ConntrackTable table, FilterPlan plan, Action<EntryResult> onFailure, Action<int>? onProgress, CancellationToken stop)
{
    private const string Operation = "delete connection-tracking entries by filter";

    /// <exception cref="IncompleteDeletionException">All entries found are deleted, but some may have been missed.</exception>
    public DeleteSummary Run()
    {
        if (!plan.Filter.NamesEntries)
            throw new ArgumentException("The filter matches every entry.");
        return (plan.AllowsFlush ? Flush() : null) ?? DeleteEach();
    }

    /// <summary>During this request the kernel blocks resizes of the hash table (nf_conntrack_mutex, from 5.15), so it misses no
    /// entry.</summary>
    /// <returns>Null if the kernel refused, and deleted nothing.</returns>
    private DeleteSummary? Flush()
    {
        using NetlinkConnection connection = NetlinkConnection.Open(table.NetworkNamespace);
        byte[] request = new byte[NetlinkBatch.MaximumMessageSize];
        long before = TableCount.Read(connection);
        try
        {
            connection.Request(TableRequests.Flush(request, plan.Kernel), Operation);
        }
        catch (NetlinkException exception) when (exception.Errno is Errno.InvalidArgument or Errno.NotSupported)
        {
            // A kernel before 6.12.
            return null;
        }

        return new DeleteSummary(Math.Max(0, before - TableCount.Read(connection)), 0, 0, IsEstimate: true);
    }

    private DeleteSummary DeleteEach()
    {
        using EntryStream stream = table.Open(plan);
        using EntryDeleter deleter = table.CreateDeleter();
        using CancellationTokenRegistration registration = stop.Register(stream.Cancel);
        IncompleteListingException? incomplete = null;
        try
        {
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
            {
                foreach (ConntrackEntry entry in batch)
                    deleter.Add(EntryKey.Of(entry), entry);
                Report(deleter);
                onProgress?.Invoke(batch.Count);
            }
        }
        catch (IncompleteListingException exception)
        {
            // All entries in the incomplete listing match the filter, so they are deleted.
            incomplete = exception;
        }

        deleter.Flush();
        Report(deleter);
        DeleteSummary summary = new(deleter.Deleted, deleter.AlreadyGone, deleter.Failed, IsEstimate: false);
        return incomplete is null ? summary : throw new IncompleteDeletionException(summary, incomplete);
    }

    private void Report(EntryDeleter deleter)
    {
        foreach (EntryResult result in deleter.TakeResults())
            onFailure(result);
    }
}

/// <summary>The result of a deletion by filter.</summary>
/// <param name="Deleted">The number of deleted entries.</param>
/// <param name="AlreadyGone">The number of entries that ended between listing and deleting.</param>
/// <param name="Failed">The number of entries that the kernel refused to delete.</param>
/// <param name="IsEstimate">True if the kernel deleted all entries with one request. Then <paramref name="Deleted"/> is the difference of
/// the table's count before and after.</param>
public readonly record struct DeleteSummary(long Deleted, long AlreadyGone, long Failed, bool IsEstimate);

/// <summary>All listed entries were deleted, but the listing was incomplete: some matching entries may remain.</summary>
/// <param name="summary">The result.</param>
/// <param name="listing">The problem of the listing.</param>
public sealed class IncompleteDeletionException(DeleteSummary summary, IncompleteListingException listing)
    : IncompleteListingException(
        $"{Counted.Entries(summary.Deleted)} deleted. Other matching entries may remain. {listing.Message}",
        listing.Attempts,
        listing)
{
    /// <summary>The result of the deletion.</summary>
    public DeleteSummary Summary { get; } = summary;
}
