using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>A batch of requests about entries that are identified by keys. If a request could affect another entry, the entry is looked up
/// first.</summary>
internal abstract class NamedEntryBatch : ExistingEntryBatch
{
    /// <summary>The number of entries that are looked up together. It is small, so that little time passes between a lookup and the
    /// request.</summary>
    private const int LookUpsAtOnce = 256;

    private readonly EntryLookup _lookup;
    private List<NamedEntry> _toLookUp = [];

    private protected NamedEntryBatch(EntryLookup lookup, NetworkNamespace? networkNamespace, string operation, bool keepDone)
        : base(networkNamespace, operation, keepDone) => _lookup = lookup;

    /// <summary>Adds an entry to look up first.</summary>
    public void AddToLookUp(NamedEntry named)
    {
        lock (Gate)
        {
            ThrowEarlierFailure();
            _toLookUp.Add(named);
            Schedule(isFull: _toLookUp.Count >= LookUpsAtOnce);
        }
    }

    /// <summary>Adds the request for an entry that was found.</summary>
    /// <param name="named">The entry to change or delete.</param>
    /// <param name="present">The current entry.</param>
    /// <param name="address">The address at which the kernel finds it.</param>
    private protected abstract void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _lookup.Dispose();
    }

    private protected override object Unwrap(object entry) => ((NamedEntry)entry).Entry;

    /// <summary>The kernel reports that no entry has this id. But it compared only one entry, which may have been another one.</summary>
    private protected override bool Forgives(object entry, Errno errno)
    {
        if (errno != Errno.NotFound || entry is not NamedEntry { IsLookedUp: false } named)
            return base.Forgives(entry, errno);
        _toLookUp.Add(named);
        return true;
    }

    private protected override void Send()
    {
        Transmit();
        if (_toLookUp.Count == 0)
            return;
        List<NamedEntry> doubtful = _toLookUp;
        _toLookUp = [];
        foreach (NamedEntry[] some in doubtful.Chunk(LookUpsAtOnce))
        {
            LookUp(some);
            Transmit();
        }
    }

    private void LookUp(NamedEntry[] entries)
    {
        EntryFinding[] findings = _lookup.Find([.. entries.Select(named => named.Key)]);
        for (int i = 0; i < entries.Length; i++)
        {
            if (findings[i].Failure is { } failure)
            {
                Fail(entries[i].Entry, failure);
            }
            else if (findings[i].Entry is { } present)
            {
                entries[i].IsLookedUp = true;
                Request(entries[i], present, findings[i].Address);
            }
            else
            {
                AlreadyGone++;
            }
        }
    }
}

/// <summary>An entry to change or delete.</summary>
internal sealed class NamedEntry(in EntryKey key, EntryChange? change, object entry)
{
    public EntryKey Key { get; } = key;

    /// <summary>The change, or null to delete the entry.</summary>
    public EntryChange? Change { get; } = change;

    /// <summary>The object from the caller.</summary>
    public object Entry { get; } = entry;

    /// <summary>True after it was looked up. If it is missing after that, it has just ended.</summary>
    public bool IsLookedUp { get; set; }
}

/// <summary>Deletes entries one by one, in batches. Entries that are already gone are counted, and are not failures.</summary>
/// <remarks>Every request has an id, so that the kernel deletes no other entry. If the id is unknown, or the kernel finds no entry with it,
/// the entry is looked up first. A request is sent when the batch is full, on <see cref="Flush"/>, or after 20 ms at the latest. Safe for
/// use from several threads.</remarks>
public sealed class EntryDeleter : IDisposable
{
    private const string Operation = "delete a connection-tracking entry";

    private readonly Batch _batch;

    internal EntryDeleter(NetworkNamespace? networkNamespace, bool keepDeleted)
        : this(new EntryLookup(networkNamespace, Operation), networkNamespace, keepDeleted)
    {
    }

    internal EntryDeleter(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepDeleted) =>
        _batch = new Batch(lookup, networkNamespace, keepDeleted);

    /// <summary>The number of entries deleted so far.</summary>
    public long Deleted => _batch.Done;

    /// <summary>The number of entries that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>The number of entries that were already gone.</summary>
    public long AlreadyGone => _batch.AlreadyGone;

    /// <summary>Adds an entry to delete.</summary>
    /// <param name="key">The key of the entry.</param>
    /// <param name="entry">An object that is returned with the result.</param>
    /// <exception cref="FormatException">The key lacks values that identify the entry.</exception>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(in EntryKey key, object entry)
    {
        key.ThrowIfIncomplete();
        NamedEntry named = new(key, null, entry);
        if (key.Id is { } id)
            _batch.Add(TableRequests.Delete, (EntryAddress.Of(key), id), named);
        else
            _batch.AddToLookUp(named);
    }

    /// <summary>Sends the waiting requests.</summary>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>The results since the last call: refusals, and successes if they are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket. Requests that were not sent have no effect.</summary>
    public void Dispose() => _batch.Dispose();

    private sealed class Batch(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepDeleted)
        : NamedEntryBatch(lookup, networkNamespace, Operation, keepDeleted)
    {
        private protected override void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address) =>
            Enqueue(TableRequests.Delete, (address, present.Data.Id), named);
    }
}

/// <summary>Changes entries one by one, in batches. Entries that are already gone are counted, and are not failures.</summary>
/// <remarks>The kernel's request has no id: it changes any entry that has the tuple. So all entries of a batch are looked up and compared
/// first, and then the entries found are changed. If another entry takes the tuple in between, in about a millisecond, that one is changed.
/// A request is sent when the batch is full, on <see cref="Flush"/>, or after 20 ms at the latest. Safe for use from several
/// threads.</remarks>
public sealed class EntryUpdater : IDisposable
{
    private const string Operation = "change a connection-tracking entry";

    private readonly Batch _batch;

    internal EntryUpdater(NetworkNamespace? networkNamespace, bool keepChanged)
        : this(new EntryLookup(networkNamespace, Operation), networkNamespace, keepChanged)
    {
    }

    internal EntryUpdater(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepChanged) =>
        _batch = new Batch(lookup, networkNamespace, keepChanged);

    /// <summary>The number of entries changed so far.</summary>
    public long Changed => _batch.Done;

    /// <summary>The number of entries that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>The number of entries that were already gone.</summary>
    public long AlreadyGone => _batch.AlreadyGone;

    /// <summary>Adds an entry to change.</summary>
    /// <param name="key">The key of the entry.</param>
    /// <param name="change">The change.</param>
    /// <param name="entry">An object that is returned with the result.</param>
    /// <exception cref="FormatException">The key lacks values that identify the entry.</exception>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(in EntryKey key, EntryChange change, object entry)
    {
        key.ThrowIfIncomplete();
        _batch.AddToLookUp(new NamedEntry(key, change, entry));
    }

    /// <summary>Sends the waiting requests.</summary>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>The results since the last call: refusals, and successes if they are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket. Requests that were not sent have no effect.</summary>
    public void Dispose() => _batch.Dispose();

    private static int Write(Span<byte> buffer, in (EntryAddress Address, EntryChange Change, ConntrackEntry Present) request) =>
        ChangeEncoder.Encode(buffer, request.Address, request.Change, request.Present);

    private sealed class Batch(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepChanged)
        : NamedEntryBatch(lookup, networkNamespace, Operation, keepChanged)
    {
        private protected override void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address) =>
            Enqueue(Write, (address, named.Change!, present), named);
    }
}
