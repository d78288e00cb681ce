using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

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
    public int Repeats => _reader.Repeats;

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
