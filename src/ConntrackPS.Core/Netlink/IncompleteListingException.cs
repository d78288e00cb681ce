namespace ConntrackPS.Netlink;

/// <summary>A listing of the kernel's was read to its end, again and again, and each time what it lists was rearranged
/// under it: entries may be missing from what came.</summary>
/// <remarks>Thrown at the end of a listing, after all that it did show. The hash table of connection tracking is rearranged
/// when it is resized (nf_conntrack_buckets); the kernel tells of its other lists by NLM_F_DUMP_INTR. Whoever only wants to
/// know what is there may go on with what came; whoever concludes from what did not come must not.</remarks>
public class IncompleteListingException : Exception
{
    /// <summary>Tells of a listing that was never whole.</summary>
    /// <param name="operation">What was asked, as a phrase that completes "could not ...".</param>
    /// <param name="attempts">How often it was asked for.</param>
    public IncompleteListingException(string operation, int attempts)
        : this($"The kernel was asked {attempts} times to {operation}, and rearranged its table each time before it was done.", attempts, null)
    {
    }

    private protected IncompleteListingException(string message, int attempts, Exception? inner)
        : base(message, inner) => Attempts = attempts;

    /// <summary>How often the listing was begun.</summary>
    public int Attempts { get; }
}
