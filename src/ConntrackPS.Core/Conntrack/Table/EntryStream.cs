using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The table read ahead on a thread of its own, so that the kernel and the consumer work at the same time.</summary>
/// <remarks>The queue between them is bounded: a slow consumer makes the reader wait, and memory stays flat.
/// One thread at a time may take batches.</remarks>
public sealed class EntryStream : IDisposable
{
    private const int QueuedBatches = 8;

    private readonly EntryReader _reader;
    private readonly BlockingCollection<List<ConntrackEntry>> _queue = new(QueuedBatches);
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private ExceptionDispatchInfo? _failure;
    private bool _disposed;

    internal EntryStream(EntryReader reader)
    {
        _reader = reader;
        _thread = new Thread(ReadAll) { IsBackground = true, Name = "ConntrackPS reader" };
        _thread.Start();
    }

    /// <summary>How often the hash table was resized meanwhile, upon which it was read again.</summary>
    internal int Repeats => _reader.Repeats;

    /// <summary>The entries in batches, as they arrive.</summary>
    /// <exception cref="Netlink.NetlinkException">The kernel refused or gave up.</exception>
    /// <exception cref="Netlink.IncompleteListingException">After the last batch: the table was resized each time it was read,
    /// and entries may be missing from those that came.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public IEnumerable<IReadOnlyList<ConntrackEntry>> Batches()
    {
        foreach (List<ConntrackEntry> batch in _queue.GetConsumingEnumerable(_stop.Token))
            yield return batch;
        _failure?.Throw();
    }

    /// <summary>Makes reader and consumer leave at once; from any thread, at any time, without waiting for them.</summary>
    public void Cancel()
    {
        if (_disposed)
            return;
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Disposed in this moment by the consumer: it has left.
        }

        _reader.Cancel();
    }

    /// <summary>Stops reading, wherever it is, and closes the socket.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        Cancel();
        _disposed = true;
        _thread.Join();
        _reader.Dispose();
        _queue.Dispose();
        _stop.Dispose();
    }

    private void ReadAll()
    {
        try
        {
            while (_reader.ReadBatch() is { } batch)
            {
                if (batch.Count > 0)
                    _queue.Add(batch, _stop.Token);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !_stop.IsCancellationRequested)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
        }
        catch (OperationCanceledException)
        {
            // Asked to stop.
        }
        finally
        {
            _queue.CompleteAdding();
        }
    }
}

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
    internal int Repeats => _scan.Repeats;

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

    bool IEntrySink.TakesInterrupted => true;

    void IEntrySink.Restart() => _emitted.Repeat();

    private List<ConntrackEntry> TakeBatch()
    {
        List<ConntrackEntry> full = _batch;
        _batch = new List<ConntrackEntry>(full.Count);
        full.RemoveAll(entry => !_emitted.Add(entry));
        return full;
    }
}

/// <summary>Remembers what a dump has handed over, at 8 bytes an entry, so that nothing comes twice when it is repeated.
/// </summary>
internal sealed class EmittedEntries
{
    private List<ulong> _emitted = [];
    private HashSet<ulong>? _seen;

    /// <summary>From now on only entries that are new count.</summary>
    public void Repeat()
    {
        if (_seen is not null)
            return;
        _seen = [.. _emitted];
        _emitted = [];
    }

    /// <summary>Takes note of an entry.</summary>
    /// <returns>False where it was handed over already.</returns>
    public bool Add(ConntrackEntry entry)
    {
        ulong fingerprint = EntryFingerprint.Of(entry);
        if (_seen is not null)
            return _seen.Add(fingerprint);
        _emitted.Add(fingerprint);
        return true;
    }
}
