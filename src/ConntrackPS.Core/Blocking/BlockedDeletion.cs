using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Blocking;

/// <summary>Deletes entries whose traffic is blocked, again and again until a listing shows none of them.</summary>
/// <param name="table">Where they are.</param>
/// <param name="block">The block, in the same network namespace.</param>
/// <param name="onResult">Takes the entries that the kernel refused to delete; with <paramref name="keepDeleted"/> the
/// deleted ones too.</param>
/// <param name="keepDeleted">Whether deleted entries are of interest.</param>
public sealed class BlockedDeletion(ConntrackTable table, TrafficBlock block, Action<EntryResult> onResult, bool keepDeleted = false)
{
    /// <summary>Only flows that the block does not cover can come back as often.</summary>
    public const int MaximumRounds = 50;

    /// <summary>How often entries had to be deleted.</summary>
    public int Rounds { get; private set; }

    /// <summary>Entries that were still there at the end; 0 unless the block does not cover new flows, or the kernel
    /// refused.</summary>
    public int Remaining { get; private set; }

    /// <summary>Deletes; returns when none is left, or none can be deleted.</summary>
    /// <exception cref="Netlink.NetlinkException">The kernel refused as a whole.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public DeleteSummary Run(CancellationToken stop = default)
    {
        using EntryDeleter deleter = table.CreateDeleter(keepDeleted);
        long failed;
        do
        {
            IReadOnlyList<ConntrackEntry> entries = block.Target.Find(table, stop);
            Remaining = entries.Count;
            if (entries.Count == 0 || Rounds == MaximumRounds)
                break;

            // Their packets first: the answer that is under way would make an entry the other way round.
            block.AddFlows(entries);
            failed = deleter.Failed;
            Delete(deleter, entries, stop);
            Rounds++;
        }
        while (deleter.Failed - failed < Remaining);
        return new DeleteSummary(deleter.Deleted, deleter.AlreadyGone, deleter.Failed, IsEstimate: false);
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
