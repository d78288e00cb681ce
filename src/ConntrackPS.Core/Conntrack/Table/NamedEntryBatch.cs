using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>A batch of requests about entries that are named by keys. Where a request could reach another entry than the one
/// that is named, that one is looked up before.</summary>
internal abstract class NamedEntryBatch : ExistingEntryBatch
{
    /// <summary>Entries that are looked up together: few, so that little time passes between a look and what follows.</summary>
    private const int LookUpsAtOnce = 256;

    private readonly EntryLookup _lookup;
    private List<NamedEntry> _toLookUp = [];

    private protected NamedEntryBatch(EntryLookup lookup, NetworkNamespace? networkNamespace, string operation, bool keepDone)
        : base(networkNamespace, operation, keepDone) => _lookup = lookup;

    /// <summary>Adds an entry that is looked up first.</summary>
    public void AddToLookUp(NamedEntry named)
    {
        lock (Gate)
        {
            ThrowEarlierFailure();
            _toLookUp.Add(named);
            Schedule(isFull: _toLookUp.Count >= LookUpsAtOnce);
        }
    }

    /// <summary>Puts the request about an entry together that was found.</summary>
    /// <param name="named">Which one.</param>
    /// <param name="present">As it is now.</param>
    /// <param name="address">Where the kernel finds it.</param>
    private protected abstract void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _lookup.Dispose();
    }

    private protected override object Unwrap(object entry) => ((NamedEntry)entry).Entry;

    /// <summary>None of this id is there, by the kernel's word; but it has looked at one entry only, and perhaps at another.</summary>
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

/// <summary>An entry that is to be changed or deleted.</summary>
internal sealed class NamedEntry(in EntryKey key, EntryChange? change, object entry)
{
    public EntryKey Key { get; } = key;

    /// <summary>What to change; null where it is deleted.</summary>
    public EntryChange? Change { get; } = change;

    /// <summary>Whatever the caller gave along.</summary>
    public object Entry { get; } = entry;

    /// <summary>True once it was seen: if it is not there then, it has just gone.</summary>
    public bool IsLookedUp { get; set; }
}

/// <summary>Deletes entries one by one, in batches. An entry that is gone already is counted, and no failure.</summary>
/// <remarks>Every request carries an id, so that the kernel deletes no other entry. Where the id is not known, or the kernel
/// finds none of that id, the entry is looked up first. What is added goes out when a batch is full, on <see cref="Flush"/>, and
/// 20 ms later at the latest. Safe for use from several threads.</remarks>
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

    /// <summary>Entries deleted so far.</summary>
    public long Deleted => _batch.Done;

    /// <summary>Entries that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>How many entries were gone already.</summary>
    public long AlreadyGone => _batch.AlreadyGone;

    /// <summary>Adds an entry to delete.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="FormatException">The key leaves out what names the entry.</exception>
    /// <exception cref="NetlinkException">The kernel took no batch at all: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(in EntryKey key, object entry)
    {
        key.ThrowIfIncomplete();
        NamedEntry named = new(key, null, entry);
        if (key.Id is { } id)
            _batch.Add(TableRequests.Delete, (EntryAddress.Of(key), id), named);
        else
            _batch.AddToLookUp(named);
    }

    /// <summary>Sends what waits.</summary>
    /// <exception cref="NetlinkException">The kernel took no batch at all: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>What became of entries since the last call: refusals, and the others where these are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket; what was added but not sent is left as it is.</summary>
    public void Dispose() => _batch.Dispose();

    private sealed class Batch(EntryLookup lookup, NetworkNamespace? networkNamespace, bool keepDeleted)
        : NamedEntryBatch(lookup, networkNamespace, Operation, keepDeleted)
    {
        private protected override void Request(NamedEntry named, ConntrackEntry present, in EntryAddress address) =>
            Enqueue(TableRequests.Delete, (address, present.Data.Id), named);
    }
}

/// <summary>Changes entries one by one, in batches. An entry that is gone already is counted, and no failure.</summary>
/// <remarks>The kernel's request has no id: it changes whatever entry has the tuple. So all of a batch are looked up and
/// compared at once, and right after that those that were found are changed; what takes an entry's tuple in between, a
/// millisecond or so, is changed in its place. What is added goes out when a batch is full, on <see cref="Flush"/>, and 20 ms later
/// at the latest. Safe for use from several threads.</remarks>
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

    /// <summary>Entries changed so far.</summary>
    public long Changed => _batch.Done;

    /// <summary>Entries that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>How many entries were gone already.</summary>
    public long AlreadyGone => _batch.AlreadyGone;

    /// <summary>Adds an entry to change.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="change">What to change.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="FormatException">The key leaves out what names the entry.</exception>
    /// <exception cref="NetlinkException">The kernel took no batch at all: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(in EntryKey key, EntryChange change, object entry)
    {
        key.ThrowIfIncomplete();
        _batch.AddToLookUp(new NamedEntry(key, change, entry));
    }

    /// <summary>Sends what waits.</summary>
    /// <exception cref="NetlinkException">The kernel took no batch at all: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>What became of entries since the last call: refusals, and the others where these are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket; what was added but not sent is left as it is.</summary>
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
