using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The events of one or several network namespaces, read on a thread each, through one bounded queue.</summary>
/// <remarks>A slow consumer makes the readers wait, so that memory stays flat; then the kernel's buffer takes over, and
/// what it can't hold is counted.</remarks>
public sealed class EventStream : IDisposable
{
    private const int QueuedBatches = 64;
    private const double NearlyFullPercent = 90;
    private static readonly TimeSpan StallTime = TimeSpan.FromSeconds(1);

    private readonly BlockingCollection<List<ConntrackEvent>> _queue = new(QueuedBatches);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<(EventReader Reader, Thread Thread)> _readers = [];
    private readonly EventOptions _options;
    private ExceptionDispatchInfo? _failure;
    private ulong _sequence;
    private bool _disposed;

    /// <summary>Starts listening.</summary>
    /// <param name="options">What to watch, and how.</param>
    /// <param name="networkNamespaces">Where; the caller's own unless given.</param>
    /// <exception cref="Netlink.NetlinkException">EPERM: listening needs CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">A namespace can't be entered.</exception>
    public EventStream(EventOptions options, params NetworkNamespace[] networkNamespaces)
    {
        _options = options;
        try
        {
            if (networkNamespaces is [])
                _readers.Add(CreateReader(null));
            foreach (NetworkNamespace networkNamespace in networkNamespaces)
                _readers.Add(CreateReader(networkNamespace));
        }
        catch
        {
            foreach ((EventReader reader, _) in _readers)
                reader.Dispose();
            throw;
        }

        foreach ((_, Thread thread) in _readers)
            thread.Start();
    }

    /// <summary>What the kernel granted as receive buffer of each socket, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _readers[0].Reader.ReceiveBufferSize;

    /// <summary>True once the kernel no longer keeps destroy events, since the table was nearly full and nobody took them.</summary>
    public bool GaveUpReliability { get; private set; }

    /// <summary>Waits for events.</summary>
    /// <param name="timeout">How long.</param>
    /// <returns>The next events; empty when the time is up first.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public IReadOnlyList<ConntrackEvent> Take(TimeSpan timeout)
    {
        List<ConntrackEvent>? batch;
        try
        {
            if (!_queue.TryTake(out batch, (int)Math.Min(timeout.TotalMilliseconds, int.MaxValue), _stop.Token))
                return [];
        }
        catch (OperationCanceledException)
        {
            _failure?.Throw();
            throw;
        }

        foreach (ConntrackEvent happened in batch)
        {
            _sequence += happened.LostCount ?? 1;
            happened.Sequence = _sequence;
        }

        return batch;
    }

    /// <summary>Makes readers and consumer leave at once; from any thread, at any time, without waiting for them.</summary>
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

        foreach ((EventReader reader, _) in _readers)
            reader.Cancel();
    }

    /// <summary>Stops listening and closes the sockets.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        Cancel();
        _disposed = true;
        foreach ((EventReader reader, Thread thread) in _readers)
        {
            thread.Join();
            reader.Dispose();
        }

        _queue.Dispose();
        _stop.Dispose();
    }

    private (EventReader Reader, Thread Thread) CreateReader(NetworkNamespace? networkNamespace)
    {
        EventReader reader = new(networkNamespace, _options);
        Thread thread = new(() => ReadAll(reader, networkNamespace)) { IsBackground = true, Name = "ConntrackPS events" };
        return (reader, thread);
    }

    private void ReadAll(EventReader reader, NetworkNamespace? networkNamespace)
    {
        try
        {
            reader.Run(batch => Enqueue(batch, reader, networkNamespace));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            _stop.Cancel();
        }
    }

    private void Enqueue(List<ConntrackEvent> batch, EventReader reader, NetworkNamespace? networkNamespace)
    {
        while (!_queue.TryAdd(batch, (int)StallTime.TotalMilliseconds, _stop.Token))
        {
            if (!_options.IsReliable || GaveUpReliability || ConntrackStat.Read(networkNamespace).FillPercent < NearlyFullPercent)
                continue;
            reader.GiveUpReliability();
            GaveUpReliability = true;
        }
    }
}
