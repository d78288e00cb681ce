using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;

namespace ConntrackPS.Expectations;

/// <summary>Deletes expectations one by one, in batches. One that is gone already is counted, and no failure.</summary>
public sealed class ExpectationDeleter : ExistingEntryBatch
{
    internal ExpectationDeleter(NetworkNamespace? networkNamespace, bool keepDeleted)
        : base(networkNamespace, "delete an expectation", keepDeleted)
    {
    }

    /// <summary>Expectations deleted so far.</summary>
    public long Deleted => Done;

    /// <summary>Adds an expectation to delete.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="expectation">Comes back with the result.</param>
    /// <exception cref="Netlink.NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(in ExpectationKey key, object expectation) => Add(ExpectationRequests.Delete, key, expectation);
}
