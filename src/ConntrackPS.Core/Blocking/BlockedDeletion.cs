using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking;

/// <summary>Deletes entries whose traffic is blocked, repeatedly until a listing shows none of them.</summary>
/// <param name="table">The table.</param>
/// <param name="block">The block, in the same network namespace.</param>
/// <param name="onResult">Called for entries that the kernel refused to delete; with <paramref name="keepDeleted"/> also for deleted
/// ones.</param>
/// <param name="keepDeleted">True to report deleted entries.</param>
internal sealed class BlockedDeletion(ConntrackTable table, TrafficBlock block, Action<EntryResult> onResult, bool keepDeleted = false)
{
    /// <summary>The maximum number of rounds. Only flows that the block does not cover can come back this often.</summary>
    public const int MaximumRounds = 50;

    /// <summary>Each of them takes seconds, because a listing already repeats itself.</summary>
    private const int MaximumIncompleteListings = 3;

    /// <summary>The number of rounds with deletions.</summary>
    public int Rounds { get; private set; }

    /// <summary>The number of entries that still existed at the end. 0 unless the block does not cover new flows, or the kernel
    /// refused.</summary>
    public int Remaining { get; private set; }

    /// <summary>Deletes entries. Returns when none is left, or none can be deleted.</summary>
    /// <exception cref="NetlinkException">The kernel refused the whole request.</exception>
    /// <exception cref="IncompleteDeletionException">All entries found are deleted, but no complete listing showed that none is
    /// left.</exception>
    /// <exception cref="OperationCanceledException">The deletion was stopped.</exception>
    public DeleteSummary Run(CancellationToken stop = default)
    {
        using EntryDeleter deleter = table.CreateDeleter(keepDeleted);
        IncompleteListingException? incomplete;
        long failed;
        int incompleteListings = 0;
        do
        {
            incomplete = Find(stop, out IReadOnlyList<ConntrackEntry> entries);
            Remaining = entries.Count;
            if (Rounds == MaximumRounds)
                break;
            failed = deleter.Failed;
            if (entries.Count > 0)
            {
                // Block the packets first: a reply that is under way would create an entry in the opposite direction.
                block.AddFlows(entries);
                Delete(deleter, entries, stop);
                Rounds++;
            }
        }
        while (incomplete is null ? deleter.Failed - failed < Remaining : ++incompleteListings < MaximumIncompleteListings);
        DeleteSummary summary = new(deleter.Deleted, deleter.AlreadyGone, deleter.Failed, IsEstimate: false);
        return incomplete is null ? summary : throw new IncompleteDeletionException(summary, incomplete);
    }

    /// <returns>The exception to throw if entries may have been missed, or null.</returns>
    private IncompleteListingException? Find(CancellationToken stop, out IReadOnlyList<ConntrackEntry> entries)
    {
        List<ConntrackEntry> found = [];
        entries = found;
        try
        {
            block.Target.Find(table, found, stop);
            return null;
        }
        catch (IncompleteListingException exception)
        {
            return exception;
        }
    }

    private void Delete(EntryDeleter deleter, IReadOnlyList<ConntrackEntry> entries, CancellationToken stop)
    {
        foreach (ConntrackEntry entry in entries)
        {
            stop.ThrowIfCancellationRequested();
            deleter.Add(EntryKey.Of(entry), entry);
        }

        deleter.Flush();
        foreach (EntryResult result in deleter.TakeResults())
            onResult(result);
    }
}
