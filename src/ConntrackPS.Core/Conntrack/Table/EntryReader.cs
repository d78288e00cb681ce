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
    /// <param name="open">Opens the connection, anew at each repeat; to the kernel unless given.</param>
    public EntryReader(
        NetworkNamespace? networkNamespace,
        FilterPlan plan,
        TableKind kind = TableKind.Main,
        Func<ConntrackEntry>? create = null,
        Func<NetworkNamespace?, NetlinkConnection>? open = null)
    {
        _create = create ?? (() => new ConntrackEntry());
        _scan = new EntryScan(networkNamespace, plan, kind, this, open: open);
    }

    /// <summary>How often the table was resized under the reader, which then read it again.</summary>
    public int Repeats => _scan.Repeats;

    /// <summary>True where entries may be missing all the same: the kernel said so, or the table would not hold still.</summary>
    public bool Interrupted => _scan.Interrupted;

    /// <summary>Waits for the next datagrams: one at first, so that the first entry is there at once, and soon several,
    /// since a hand-over has its price.</summary>
    /// <returns>Their entries that match, perhaps none; null at the end of the table.</returns>
    public List<ConntrackEntry>? ReadBatch()
    {
        bool more = true;
        for (int i = 0; i < _datagrams && more; i++)
            more = _scan.Read();
        _datagrams = Math.Min(2 * _datagrams, MaximumDatagrams);
        return more || _batch.Count > 0 ? TakeBatch() : null;
    }

    /// <summary>Ends any wait, from any thread.</summary>
    public void Cancel() => _scan.Cancel();

    public void Dispose() => _scan.Dispose();

    ConntrackEntry IEntrySink.NextEntry() => _create();

    void IEntrySink.Take(ConntrackEntry entry) => _batch.Add(entry);

    void IEntrySink.Restart()
    {
        _batch.Clear();
        _emitted.Repeat();
    }

    private List<ConntrackEntry> TakeBatch()
    {
        List<ConntrackEntry> full = _batch;
        _batch = new List<ConntrackEntry>(full.Count);
        full.RemoveAll(entry => !_emitted.Add(entry));
        return full;
    }
}
