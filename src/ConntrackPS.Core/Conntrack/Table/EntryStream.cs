using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Reads the table ahead on a separate thread, so that the kernel and the consumer work in parallel.</summary>
/// <remarks>The queue between them is bounded: the reader waits for a slow consumer, so memory use is constant. Only one thread at a time
/// may read batches.</remarks>
public sealed class EntryStream : IDisposable
{
    private const int QueuedBatches = 8;

    private readonly IEntryReader _reader;
    private readonly BlockingCollection<List<ConntrackEntry>> _queue = new(QueuedBatches);
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private ExceptionDispatchInfo? _failure;
    private bool _disposed;

    internal EntryStream(IEntryReader reader)
    {
        _reader = reader;
        _thread = new Thread(ReadAll) { IsBackground = true, Name = "ConntrackPS reader" };
        _thread.Start();
    }

    /// <summary>The number of times that the hash table was resized and read again.</summary>
    internal int Repeats => _reader.Repeats;

    /// <summary>The entries in batches, as they arrive.</summary>
    /// <exception cref="Netlink.NetlinkException">The kernel refused the request, or aborted the dump.</exception>
    /// <exception cref="Netlink.IncompleteListingException">After the last batch: the table was resized during each attempt, and some
    /// entries may be missing.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public IEnumerable<IReadOnlyList<ConntrackEntry>> Batches()
    {
        foreach (List<ConntrackEntry> batch in _queue.GetConsumingEnumerable(_stop.Token))
            yield return batch;
        _failure?.Throw();
    }

    /// <summary>Stops reader and consumer immediately, without waiting for them. May be called from any thread at any time.</summary>
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
            // The consumer has just disposed it, so there is nothing to cancel.
        }

        _reader.Cancel();
    }

    /// <summary>Stops the reader and closes the socket.</summary>
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
            // Cancelled.
        }
        finally
        {
            _queue.CompleteAdding();
        }
    }
}

/// <summary>Reads the matching entries of a table as objects, list by list.</summary>
internal interface IEntryReader : IDisposable
{
    /// <summary>The number of times that the table was resized and read again.</summary>
    int Repeats { get; }

    /// <summary>Waits for the next entries.</summary>
    /// <returns>The matching entries, possibly none. Null at the end of the table, when all entries have been read.</returns>
    /// <exception cref="IncompleteListingException">At the end, after the last entries: some entries may be missing.</exception>
    List<ConntrackEntry>? ReadBatch();

    /// <summary>Ends any wait. May be called from any thread.</summary>
    void Cancel();
}

/// <summary>Reads the table as objects, in one list per few datagrams. If the table is resized and read again, no entry is returned
/// twice.</summary>
internal sealed class EntryReader : IEntrySink, IEntryReader
{
    /// <summary>The maximum number of datagrams in a batch: about 1,200 entries, for which the kernel needs 2 ms.</summary>
    private const int MaximumDatagrams = 8;

    private readonly EmittedEntries _emitted = new();
    private readonly Func<ConntrackEntry> _create;
    private readonly EntryScan _scan;
    private List<ConntrackEntry> _batch = [];
    private int _datagrams = 1;

    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="plan">The filter, and the kernel's part of it.</param>
    /// <param name="kind">The kernel list to read.</param>
    /// <param name="create">Creates the object for each entry. The default is a ConntrackEntry.</param>
    /// <param name="terms">The environment of the scan. The default is the real kernel.</param>
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

    public int Repeats => _scan.Repeats;

    /// <summary>Waits for the next datagrams: one at first, so that the first entry is available immediately, and later several, because
    /// each hand-over has a cost.</summary>
    /// <inheritdoc/>
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
            // The scan throws it again when all entries have been returned.
            return TakeBatch();
        }

        _datagrams = Math.Min(2 * _datagrams, MaximumDatagrams);
        return more || _batch.Count > 0 ? TakeBatch() : null;
    }

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

/// <summary>Remembers the entries that a dump has returned, with 8 bytes per entry, so that a repeat returns none of them again.</summary>
internal sealed class EmittedEntries
{
    private List<ulong> _emitted = [];
    private HashSet<ulong>? _seen;

    /// <summary>From now on only new entries count.</summary>
    public void Repeat()
    {
        if (_seen is not null)
            return;
        _seen = [.. _emitted];
        _emitted = [];
    }

    /// <summary>Adds an entry.</summary>
    /// <returns>False if it was returned before.</returns>
    public bool Add(ConntrackEntry entry)
    {
        ulong fingerprint = EntryFingerprint.Of(entry);
        if (_seen is not null)
            return _seen.Add(fingerprint);
        _emitted.Add(fingerprint);
        return true;
    }
}
