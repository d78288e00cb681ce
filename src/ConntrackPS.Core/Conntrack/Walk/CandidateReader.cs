using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>Reads the matching entries of a table in two steps: a walk finds candidates, and netlink fetches each of them whole. Then the whole
/// filter is checked again, so that the result rests on the same values as that of a dump.</summary>
/// <remarks>If there are too many candidates, it dumps the table instead.</remarks>
internal sealed class CandidateReader : IEntryReader, IEntrySink
{
    /// <summary>The lookups in one batch.</summary>
    private const int BatchSize = 512;

    private readonly NetworkNamespace? _networkNamespace;
    private readonly ConntrackFilter _filter;
    private readonly EntryParts _parts;
    private readonly Func<IEntryReader> _byNetlink;
    private readonly Action<string> _tell;
    private readonly bool _mayDump;
    private readonly EntryWalk _walk;
    private readonly ConntrackEntry _entry = new();
    private readonly List<EntryKey> _keys = [];
    private readonly long _most;
    private volatile IEntryReader? _dump;
    private volatile bool _cancelled;
    private EntryLookup? _lookup;
    private IncompleteListingException? _incomplete;
    private bool _isWalked;
    private int _next;

    public CandidateReader(
        TableEngine engine, NetworkNamespace? networkNamespace, ConntrackFilter filter, EntryParts parts, ScanTerms terms, Func<IEntryReader> byNetlink, Action<string> tell)
    {
        (_networkNamespace, _filter, _parts, _byNetlink, _tell) = (networkNamespace, filter, parts, byNetlink, tell);
        _mayDump = engine == TableEngine.Auto;
        _walk = new EntryWalk(networkNamespace, WalkedPart(filter), this, parts, terms);
        _most = _walk.Count / TableEngines.CandidateShare;
    }

    public int Repeats => _walk.Repeats + (_dump?.Repeats ?? 0);

    EntryParts IEntrySink.Parts => _parts;

    bool IEntrySink.TakesInterrupted => false;

    private bool HasTooMany => _mayDump && _keys.Count > _most;

    /// <summary>The parts that the conditions of a walk read. The rest of the filter is checked on the fetched entry.</summary>
    public static EntryParts PartsFor(ConntrackFilter filter) => TableEngines.PartsOf(WalkedPart(filter));

    public List<ConntrackEntry>? ReadBatch()
    {
        if (!_isWalked)
            Walk();
        if (_dump is { } dump)
            return dump.ReadBatch();
        if (_next < _keys.Count)
            return Fetch();
        return _incomplete is null ? null : throw _incomplete;
    }

    public void Cancel()
    {
        _cancelled = true;
        _walk.Cancel();
        _dump?.Cancel();
    }

    public void Dispose()
    {
        _walk.Dispose();
        _lookup?.Dispose();
        _dump?.Dispose();
    }

    ConntrackEntry IEntrySink.NextEntry()
    {
        _entry.Reset();
        return _entry;
    }

    void IEntrySink.Take(ConntrackEntry entry)
    {
        if (!HasTooMany)
            _keys.Add(EntryKey.Of(entry));
    }

    void IEntrySink.Restart() => _keys.Clear();

    /// <summary>The filter without the conditions that only a fetched entry can be checked against.</summary>
    private static ConntrackFilter WalkedPart(ConntrackFilter filter) => filter with
    {
        Id = [],
        SecurityContext = [],
        Conditions = [],
        Exclude = [.. filter.Exclude.Where(excluded => excluded is { Id.Count: 0, SecurityContext.Count: 0, Conditions.Count: 0, Exclude.Count: 0 })],
    };

    private void Walk()
    {
        _isWalked = true;
        try
        {
            while (!HasTooMany && _walk.Read())
            {
            }
        }
        catch (IncompleteListingException exception)
        {
            _incomplete = exception;
        }
        catch (WalkUnavailableException exception) when (_mayDump)
        {
            Dump(exception.Reason);
            return;
        }

        if (HasTooMany)
            Dump("more than a quarter of the entries match");
        else
            _tell($"A walk in the kernel found {Counted.Entries(_keys.Count)}, which netlink fetches.");
    }

    private void Dump(string reason)
    {
        _tell(TableEngines.ByNetlink(reason));
        _keys.Clear();
        _incomplete = null;
        _dump = _byNetlink();
        if (_cancelled)
            _dump.Cancel();
    }

    private List<ConntrackEntry> Fetch()
    {
        if (_cancelled)
            throw new OperationCanceledException();
        _lookup ??= new EntryLookup(_networkNamespace, "look up a connection-tracking entry");
        List<EntryKey> keys = _keys.GetRange(_next, Math.Min(BatchSize, _keys.Count - _next));
        _next += keys.Count;
        List<ConntrackEntry> matching = [];
        EntryFinding[] findings = _lookup.Find(keys);
        ulong now = FilterTerm.Now();
        for (int i = 0; i < findings.Length; i++)
        {
            ConntrackEntry? entry = findings[i].Failure is { } failure ? FindHidden(keys[i], failure) : findings[i].Entry;
            if (entry is not null && _filter.Matches(entry, now))
                matching.Add(entry);
        }

        return matching;
    }

    /// <summary>A dump also shows an entry that no lookup can address.</summary>
    private ConntrackEntry? FindHidden(EntryKey key, NetlinkException failure) => failure is HiddenEntryException
        ? new ConntrackTable(_networkNamespace).Read(ExactTuple.ByAddresses(key.Original, TupleDirection.Original)).FirstOrDefault(entry => key.Matches(entry))
        : throw failure;
}
