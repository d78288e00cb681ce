using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The connection-tracking table of a network namespace.</summary>
/// <remarks>Everything throws <see cref="NetlinkException"/> where the kernel refuses (EPERM without CAP_NET_ADMIN),
/// <see cref="ConntrackUnavailableException"/> where it has no connection tracking, and
/// <see cref="NetworkNamespaceException"/> where the namespace can't be entered. What lists the table ends with
/// <see cref="IncompleteListingException"/>, after all that it found, where the hash table was resized again and again under
/// it (nf_conntrack_buckets) and entries may be missing.</remarks>
public sealed class ConntrackTable
{
    private readonly KernelFeatures _features;
    private readonly ScanTerms _terms;

    /// <summary>Names a table; nothing is opened yet.</summary>
    /// <param name="networkNamespace">Which one; null for the caller's own.</param>
    public ConntrackTable(NetworkNamespace? networkNamespace = null)
        : this(networkNamespace, KernelFeatures.All)
    {
    }

    internal ConntrackTable(NetworkNamespace? networkNamespace, KernelFeatures features, ScanTerms? terms = null) =>
        (NetworkNamespace, _features, _terms) = (networkNamespace, features, terms ?? ScanTerms.Default);

    /// <summary>Which network namespace; null for the caller's own.</summary>
    public NetworkNamespace? NetworkNamespace { get; }

    /// <summary>Reads the entries that match, on the caller's thread.</summary>
    /// <exception cref="IncompleteListingException">After the last entry: some may be missing.</exception>
    public IEnumerable<ConntrackEntry> Read(ConntrackFilter? filter = null)
    {
        using EntryReader reader = Attempt(() => new EntryReader(NetworkNamespace, PlanFor(filter), terms: _terms));
        while (reader.ReadBatch() is { } batch)
        {
            foreach (ConntrackEntry entry in batch)
                yield return entry;
        }
    }

    /// <summary>Reads the entries that match ahead, on a thread of its own.</summary>
    /// <param name="filter">Which entries; null for all.</param>
    /// <param name="kind">Which of the kernel's lists.</param>
    public EntryStream Open(ConntrackFilter? filter = null, TableKind kind = TableKind.Main) => Open(PlanFor(filter), kind);

    /// <summary>Looks up the entry that a key names, and no other one.</summary>
    /// <param name="key">Its original tuple and zones; a reply and an id must be the entry's too.</param>
    /// <param name="resetCounter">Whether the entry's counters become 0 once they are read.</param>
    /// <returns>The entry, or null where there is none.</returns>
    /// <exception cref="NetlinkException">EEXIST: it is there, and other entries keep it from being found.</exception>
    public ConntrackEntry? Find(in EntryKey key, bool resetCounter = false)
    {
        using EntryFinder finder = CreateFinder();
        return finder.Find(key, resetCounter);
    }

    /// <summary>Starts looking entries up one by one.</summary>
    public EntryFinder CreateFinder() => Attempt(() => new EntryFinder(NetworkNamespace));

    /// <summary>Starts deleting entries one by one.</summary>
    /// <param name="keepDeleted">Whether results tell of deleted entries too, and not of refused ones alone.</param>
    public EntryDeleter CreateDeleter(bool keepDeleted = false) => Attempt(() => new EntryDeleter(NetworkNamespace, keepDeleted));

    /// <summary>Starts creating entries one by one.</summary>
    /// <param name="keepCreated">Whether results tell of created entries too, and not of refused ones alone.</param>
    public EntryCreator CreateCreator(bool keepCreated = false) => Attempt(() => new EntryCreator(NetworkNamespace, keepCreated));

    /// <summary>Starts changing entries one by one.</summary>
    /// <param name="keepChanged">Whether results tell of changed entries too, and not of refused ones alone.</param>
    public EntryUpdater CreateUpdater(bool keepChanged = false) => Attempt(() => new EntryUpdater(NetworkNamespace, keepChanged));

    /// <summary>Deletes the entries that match, the fastest safe way.</summary>
    /// <param name="filter">Which entries; must name some.</param>
    /// <param name="onFailure">Takes each entry that the kernel refused to delete.</param>
    /// <param name="onProgress">Takes the number of entries after each batch of them, where there are batches.</param>
    /// <param name="stop">Ends the deletion between batches.</param>
    /// <exception cref="ArgumentException">The filter names nothing: <see cref="Clear"/> empties the table.</exception>
    /// <exception cref="IncompleteDeletionException">What was found is deleted, but entries may have been missed.</exception>
    public DeleteSummary Delete(
        ConntrackFilter filter, Action<EntryResult> onFailure, Action<int>? onProgress = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return Attempt(() => new FilterDeletion(this, PlanFor(filter), onFailure, onProgress, stop).Run());
    }

    /// <summary>Deletes every entry, or every entry of one address family.</summary>
    /// <exception cref="IncompleteDeletionException">Of one family, on a kernel before 6.12: what was found is deleted, but
    /// entries may have been missed.</exception>
    public void Clear(IPFamily family = IPFamily.Unspecified)
    {
        if (family != IPFamily.Unspecified)
        {
            Delete(new ConntrackFilter { AddressFamily = family }, result => throw result.Failure!);
            return;
        }

        using NetlinkConnection connection = Attempt(() => NetlinkConnection.Open(NetworkNamespace));
        connection.Request(TableRequests.Flush(new byte[NetlinkBatch.MaximumMessageSize]), "empty the connection-tracking table");
    }

    /// <summary>How a filter would be carried out, for people.</summary>
    internal string Explain(ConntrackFilter filter) => PlanFor(filter).ToString();

    internal EntryStream Open(FilterPlan plan, TableKind kind = TableKind.Main) =>
        new(Attempt(() => new EntryReader(NetworkNamespace, plan, kind, terms: _terms)));

    /// <summary>Starts a pass over the entries that match; they are handed over on the thread that reads.</summary>
    internal EntryScan Scan(ConntrackFilter? filter, IEntrySink sink) =>
        Attempt(() => new EntryScan(NetworkNamespace, PlanFor(filter), TableKind.Main, sink, readAhead: true, _terms));

    private FilterPlan PlanFor(ConntrackFilter? filter) => FilterPlanner.Plan(filter ?? new ConntrackFilter(), _features);

    /// <summary>Opens a netlink connection, and says so where the kernel has no such subsystem.</summary>
    internal static T Attempt<T>(Func<T> open)
    {
        Platform.RequireLinux();
        try
        {
            return open();
        }
        catch (NetlinkException exception) when (exception.Errno is Errno.ProtocolNotSupported or Errno.AddressFamilyNotSupported)
        {
            throw new ConntrackUnavailableException("This kernel has no netfilter netlink.", exception);
        }
    }
}

/// <summary>The lists of entries that the kernel keeps.</summary>
public enum TableKind
{
    /// <summary>The hash table: all connections (IPCTNL_MSG_CT_GET).</summary>
    Main,

    /// <summary>Entries that are out of the table but not freed yet (IPCTNL_MSG_CT_GET_DYING); normally none.</summary>
    Dying,

    /// <summary>Entries whose first packet is still on its way (IPCTNL_MSG_CT_GET_UNCONFIRMED); none on kernels from 5.19.</summary>
    Unconfirmed,
}
