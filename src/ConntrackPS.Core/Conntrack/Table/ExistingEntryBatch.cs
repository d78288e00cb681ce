using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Table;

/// <summary>A batch of requests about what exists already. What is gone meanwhile is counted, and no failure.</summary>
public abstract class ExistingEntryBatch : EntryBatch
{
    private protected ExistingEntryBatch(NetworkNamespace? networkNamespace, string operation, bool keepDone)
        : base(networkNamespace, operation, keepDone)
    {
    }

    /// <summary>How many were gone already.</summary>
    public long AlreadyGone { get; private protected set; }

    private protected override bool Forgives(object entry, Errno errno)
    {
        if (errno != Errno.NotFound)
            return false;
        AlreadyGone++;
        return true;
    }
}
