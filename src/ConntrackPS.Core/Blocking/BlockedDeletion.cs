using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking;

/// <summary>Deletes entries whose traffic is blocked, again and again until a listing shows none of them.</summary>
/// <param name="table">Where they are.</param>
/// <param name="block">The block, in the same network namespace.</param>
/// <param name="onResult">Takes the entries that the kernel refused to delete; with <paramref name="keepDeleted"/> the
/// deleted ones too.</param>
/// <param name="keepDeleted">Whether deleted entries are of interest.</param>
internal sealed class BlockedDeletion(ConntrackTable table, TrafficBlock block, Action<EntryResult> onResult, bool keepDeleted = false)
{
    /// <summary>Only flows that the block does not cover can come back as often.</summary>
    public const int MaximumRounds = 50;

    /// <summary>Each of them lasts seconds, since a listing begins again and again by itself.</summary>
    private const int MaximumIncompleteListings = 3;

    /// <summary>How often entries had to be deleted.</summary>
    public int Rounds { get; private set; }

    /// <summary>Entries that were still there at the end; 0 unless the block does not cover new flows, or the kernel
    /// refused.</summary>
    public int Remaining { get; private set; }

    /// <summary>Deletes; returns when none is left, or none can be deleted.</summary>
    /// <exception cref="NetlinkException">The kernel refused as a whole.</exception>
    /// <exception cref="IncompleteDeletionException">What was found is deleted, but no listing was whole and showed that none
    /// is left.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
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
                // Their packets first: the answer that is under way would make an entry the other way round.
                block.AddFlows(entries);
                Delete(deleter, entries, stop);
                Rounds++;
            }
        }
        while (incomplete is null ? deleter.Failed - failed < Remaining : ++incompleteListings < MaximumIncompleteListings);
        DeleteSummary summary = new(deleter.Deleted, deleter.AlreadyGone, deleter.Failed, IsEstimate: false);
        return incomplete is null ? summary : throw new IncompleteDeletionException(summary, incomplete);
    }

    /// <returns>What is to be thrown where entries may have been missed; null where none were.</returns>
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
