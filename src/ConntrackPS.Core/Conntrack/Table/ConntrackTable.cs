using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The connection-tracking table of a network namespace.</summary>
/// <remarks>All methods throw <see cref="NetlinkException"/> if the kernel refuses the request (EPERM without CAP_NET_ADMIN), <see
/// cref="ConntrackUnavailableException"/> if it has no connection tracking, and <see cref="NetworkNamespaceException"/> if the namespace
/// can't be entered. Methods that list the table throw <see cref="IncompleteListingException"/> at the end, after all entries found, if the
/// hash table was resized repeatedly during the listing (nf_conntrack_buckets) and entries may be missing.</remarks>
public sealed class ConntrackTable
{
    /// <summary>The engine where none is asked for.</summary>
    internal const TableEngine DefaultEngine = TableEngine.Netlink;

    private readonly KernelFeatures _features;
    private readonly ScanTerms _terms;

    /// <summary>Refers to a table. Nothing is opened yet.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    public ConntrackTable(NetworkNamespace? networkNamespace = null)
        : this(networkNamespace, KernelFeatures.All)
    {
    }

    internal ConntrackTable(NetworkNamespace? networkNamespace, KernelFeatures features, ScanTerms? terms = null) =>
        (NetworkNamespace, _features, _terms) = (networkNamespace, features, terms ?? ScanTerms.Default);

    /// <summary>The network namespace, or null for the caller's own.</summary>
    public NetworkNamespace? NetworkNamespace { get; }

    /// <summary>The way to read the table. Methods that list it throw <see cref="WalkUnavailableException"/> if it is <see
    /// cref="TableEngine.Bpf"/> and the kernel or the process can't.</summary>
    public TableEngine Engine { get; init; } = DefaultEngine;

    /// <summary>How the table was read last, and why, as a sentence. Null before it is read, and if netlink was asked for or the table is too
    /// small for a walk.</summary>
    public string? EngineNote { get; private set; }

    /// <summary>Reads the matching entries on the caller's thread.</summary>
    /// <exception cref="IncompleteListingException">After the last entry: some may be missing.</exception>
    public IEnumerable<ConntrackEntry> Read(ConntrackFilter? filter = null)
    {
        using IEntryReader reader = OpenReader(PlanFor(filter), TableKind.Main);
        while (reader.ReadBatch() is { } batch)
        {
            foreach (ConntrackEntry entry in batch)
                yield return entry;
        }
    }

    /// <summary>Reads the matching entries ahead, on a separate thread.</summary>
    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="kind">The kernel list to read.</param>
    public EntryStream Open(ConntrackFilter? filter = null, TableKind kind = TableKind.Main) => Open(PlanFor(filter), kind);

    /// <summary>Looks up the one entry that a key identifies.</summary>
    /// <param name="key">The original tuple and zones. If the key has a reply or an id, the entry must have them too.</param>
    /// <param name="resetCounter">True to reset the entry's counters to 0 after reading.</param>
    /// <returns>The entry, or null if there is none.</returns>
    /// <exception cref="NetlinkException">EEXIST: the entry exists, but other entries prevent the lookup.</exception>
    public ConntrackEntry? Find(in EntryKey key, bool resetCounter = false)
    {
        using EntryFinder finder = CreateFinder();
        return finder.Find(key, resetCounter);
    }

    /// <summary>Creates an object that looks up entries one by one.</summary>
    public EntryFinder CreateFinder() => Attempt(() => new EntryFinder(NetworkNamespace));

    /// <summary>Creates an object that deletes entries one by one.</summary>
    /// <param name="keepDeleted">True to report deleted entries as results, and not only refused ones.</param>
    public EntryDeleter CreateDeleter(bool keepDeleted = false) => Attempt(() => new EntryDeleter(NetworkNamespace, keepDeleted));

    /// <summary>Creates an object that creates entries one by one.</summary>
    /// <param name="keepCreated">True to report created entries as results, and not only refused ones.</param>
    public EntryCreator CreateCreator(bool keepCreated = false) => Attempt(() => new EntryCreator(NetworkNamespace, keepCreated));

    /// <summary>Creates an object that changes entries one by one.</summary>
    /// <param name="keepChanged">True to report changed entries as results, and not only refused ones.</param>
    public EntryUpdater CreateUpdater(bool keepChanged = false) => Attempt(() => new EntryUpdater(NetworkNamespace, keepChanged));

    /// <summary>Deletes the matching entries by the fastest safe method.</summary>
    /// <param name="filter">The filter. It must name entries.</param>
    /// <param name="onFailure">Called for each entry that the kernel refused to delete.</param>
    /// <param name="onProgress">Called with the number of entries after each batch, if there are batches.</param>
    /// <param name="stop">Ends the deletion between batches.</param>
    /// <exception cref="ArgumentException">The filter has no condition that names entries. Use <see cref="Clear"/> to empty the
    /// table.</exception>
    /// <exception cref="IncompleteDeletionException">All entries found are deleted, but some may have been missed.</exception>
    public DeleteSummary Delete(
        ConntrackFilter filter, Action<EntryResult> onFailure, Action<int>? onProgress = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return Attempt(() => new FilterDeletion(this, PlanFor(filter), onFailure, onProgress, stop).Run());
    }

    /// <summary>Deletes every entry, or every entry of one address family.</summary>
    /// <exception cref="IncompleteDeletionException">For one family on a kernel before 6.12: all entries found are deleted, but some may
    /// have been missed.</exception>
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

    /// <summary>The execution plan of a filter, as text.</summary>
    internal string Explain(ConntrackFilter filter) => PlanFor(filter).ToString();

    internal EntryStream Open(FilterPlan plan, TableKind kind = TableKind.Main) => new(OpenReader(plan, kind));

    /// <summary>Starts a pass over the matching entries. The sink receives them on the reading thread.</summary>
    internal IEntryScan Scan(ConntrackFilter? filter, IEntrySink sink) => Attempt(() => TableEngines.Scan(
        Engine, NetworkNamespace, filter, sink, _terms,
        () => new EntryScan(NetworkNamespace, PlanFor(filter), TableKind.Main, sink, readAhead: true, _terms),
        note => EngineNote = note));

    private IEntryReader OpenReader(FilterPlan plan, TableKind kind)
    {
        return Attempt(() => (kind == TableKind.Main && Engine != TableEngine.Netlink
            ? TableEngines.Candidates(Engine, NetworkNamespace, plan, _terms, ByNetlink, note => EngineNote = note)
            : null) ?? ByNetlink());

        IEntryReader ByNetlink() => new EntryReader(NetworkNamespace, plan, kind, terms: _terms);
    }

    private FilterPlan PlanFor(ConntrackFilter? filter) => FilterPlanner.Plan(filter ?? new ConntrackFilter(), _features);

    /// <summary>Opens a netlink connection, and throws an exception with the cause if the kernel lacks the subsystem.</summary>
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
    /// <summary>The hash table, with all connections (IPCTNL_MSG_CT_GET).</summary>
    Main,

    /// <summary>Entries that are removed from the table but not freed yet (IPCTNL_MSG_CT_GET_DYING). Normally none.</summary>
    Dying,

    /// <summary>Entries whose first packet has not left the machine yet (IPCTNL_MSG_CT_GET_UNCONFIRMED). None on kernels from
    /// 5.19.</summary>
    Unconfirmed,
}
