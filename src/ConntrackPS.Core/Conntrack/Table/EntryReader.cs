using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Reads the table as objects, a list for some of the kernel's datagrams; repeats nothing where the table was
/// resized meanwhile and had to be read again.</summary>
internal sealed class EntryReader : IEntrySink, IDisposable
{
    /// <summary>Datagrams in a batch: some 1,200 entries, which take the kernel 2 ms.</summary>
    private const int MaximumDatagrams = 8;

    private readonly EmittedEntries _emitted = new();
    private readonly Func<ConntrackEntry> _create;
    private readonly EntryScan _scan;
    private List<ConntrackEntry> _batch = [];
    private int _datagrams = 1;

    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="plan">Which entries, and how much of that the kernel does.</param>
    /// <param name="kind">Which of the kernel's lists.</param>
    /// <param name="create">Makes the object of each entry; a plain one unless given.</param>
    /// <param name="terms">What it works with; the kernel unless given.</param>
    public EntryReader(
        NetworkNamespace? networkNamespace,
        FilterPlan plan,
        TableKind kind = TableKind.Main,
        Func<ConntrackEntry>? create = null,
        ScanTerms? terms = null)
    {
        _create = create ?? (() => new ConntrackEntry());
        _scan = new EntryScan(networkNamespace, plan, kind, this, terms: terms);
    }

    /// <summary>How often the table was resized under the reader, which then read it again.</summary>
    public int Repeats => _scan.Repeats;

    /// <summary>Waits for the next datagrams: one at first, so that the first entry is there at once, and soon several,
    /// since a hand-over has its price.</summary>
    /// <returns>Their entries that match, perhaps none; null at the end of the table, all of which has then been read.
    /// </returns>
    /// <exception cref="IncompleteListingException">At the end, after the last entries: some may be missing.</exception>
    public List<ConntrackEntry>? ReadBatch()
    {
        bool more = true;
        try
        {
            for (int i = 0; i < _datagrams && more; i++)
                more = _scan.Read();
        }
        catch (IncompleteListingException) when (_batch.Count > 0)
        {
            // The scan says it again when there is nothing left to hand over.
            return TakeBatch();
        }

        _datagrams = Math.Min(2 * _datagrams, MaximumDatagrams);
        return more || _batch.Count > 0 ? TakeBatch() : null;
    }

    /// <summary>Ends any wait, from any thread.</summary>
    public void Cancel() => _scan.Cancel();

    public void Dispose() => _scan.Dispose();

    ConntrackEntry IEntrySink.NextEntry() => _create();

    void IEntrySink.Take(ConntrackEntry entry) => _batch.Add(entry);

    bool IEntrySink.TakesSpoilt => true;

    void IEntrySink.Restart() => _emitted.Repeat();

    private List<ConntrackEntry> TakeBatch()
    {
        List<ConntrackEntry> full = _batch;
        _batch = new List<ConntrackEntry>(full.Count);
        full.RemoveAll(entry => !_emitted.Add(entry));
        return full;
    }
}
