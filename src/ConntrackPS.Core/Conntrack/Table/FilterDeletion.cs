using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Deletes what a filter names, the fastest safe way: by one guarded request where the kernel can do the whole
/// filter, else by listing and deleting in batches, at the same time.</summary>
internal sealed class FilterDeletion(
    ConntrackTable table, FilterPlan plan, Action<EntryResult> onFailure, Action<int>? onProgress, CancellationToken stop)
{
    private const string Operation = "delete connection-tracking entries by filter";

    /// <exception cref="IncompleteDeletionException">What was found is deleted, but entries may have been missed.</exception>
    public DeleteSummary Run()
    {
        if (!plan.Filter.NamesEntries)
            throw new ArgumentException("The filter matches every entry.");
        return (plan.AllowsFlush ? Flush() : null) ?? DeleteEach();
    }

    /// <summary>The kernel holds resizes of the hash table off meanwhile (nf_conntrack_mutex, from 5.15), and so misses nothing.</summary>
    /// <returns>Null where the kernel refused, and deleted nothing.</returns>
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
            // What it did show was named: it goes.
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

/// <summary>What a deletion by filter came to.</summary>
/// <param name="Deleted">Entries deleted.</param>
/// <param name="AlreadyGone">Entries that went by themselves between listing and deleting.</param>
/// <param name="Failed">Entries that the kernel refused to delete.</param>
/// <param name="IsEstimate">True where the kernel deleted all at once, and <paramref name="Deleted"/> is the difference
/// of the table's count before and after.</param>
public readonly record struct DeleteSummary(long Deleted, long AlreadyGone, long Failed, bool IsEstimate);

/// <summary>What a listing showed was deleted, but the listing was not whole: entries that were meant may be left.</summary>
/// <param name="summary">What was deleted.</param>
/// <param name="listing">What was wrong with the listing.</param>
public sealed class IncompleteDeletionException(DeleteSummary summary, IncompleteListingException listing)
    : IncompleteListingException(
        $"{Counted.Entries(summary.Deleted)} deleted. Other matching entries may remain. {listing.Message}",
        listing.Attempts,
        listing)
{
    /// <summary>The entries that were deleted.</summary>
    public DeleteSummary Summary { get; } = summary;
}
