using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The events of one or several network namespaces, read on a thread each, through one bounded queue.</summary>
/// <remarks>A slow consumer makes the readers wait, so that memory stays flat; then the kernel's buffer takes over, and
/// what it can't hold is counted. One thread at a time may take events.</remarks>
public sealed class EventStream : IDisposable
{
    private const int QueuedBatches = 64;
    private const double NearlyFullPercent = 90;
    private static readonly TimeSpan StallTime = TimeSpan.FromSeconds(1);

    private readonly BlockingCollection<List<ConntrackEvent>> _queue = new(QueuedBatches);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<Exception> _failures = [];
    private readonly EventNumbers _numbers = new();
    private readonly EventOptions _options;
    private readonly WatchedNamespaces _watched;
    private readonly object _cancelling = new();
    private ExceptionDispatchInfo? _lastFailure;
    private bool _disposed;

    /// <summary>Starts listening.</summary>
    /// <param name="options">What to watch, and how.</param>
    /// <param name="networkNamespaces">Where; the caller's own unless given.</param>
    /// <exception cref="Netlink.NetlinkException">EPERM: listening needs CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">A namespace can't be entered.</exception>
    /// <exception cref="ReceiveBufferException">The kernel refused the receive buffer.</exception>
    /// <exception cref="EventsUnavailableException">The kernel has no events.</exception>
    public EventStream(EventOptions options, params NetworkNamespace[] networkNamespaces)
    {
        _options = options;
        _watched = new WatchedNamespaces(options, ReadAll);
        try
        {
            NetworkNamespace?[] own = [options.FollowNamespaces ? NetworkNamespace.FindOwnName() : null];
            foreach (NetworkNamespace? target in networkNamespaces is [] ? own : networkNamespaces)
            {
                _watched.Add(target);
                _ = EventSwitch.Read(target);
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        _watched.Start();
    }

    /// <summary>What the kernel granted as receive buffer of each socket, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _watched.ReceiveBufferSize;

    /// <summary>True once the kernel no longer keeps destroy events, since the table was nearly full and nobody took them.</summary>
    public bool GaveUpReliability { get; private set; }

    /// <summary>Waits for events.</summary>
    /// <param name="timeout">How long.</param>
    /// <returns>The next events; empty when the time is up first, or a failure is there to be taken.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    /// <exception cref="NetworkNamespaceException">The only namespace was deleted (ESTALE), and all its events are taken.</exception>
    public IReadOnlyList<ConntrackEvent> Take(TimeSpan timeout)
    {
        for (long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds; ;)
        {
            if (_options.FollowNamespaces)
                _watched.AddNewcomers(_failures.Enqueue);
            long left = Math.Max(end - Environment.TickCount64, 0);
            long wait = _options.FollowNamespaces ? Math.Min(left, WatchedNamespaces.LookInterval) : left;
            if (_queue.TryTake(out List<ConntrackEvent>? batch, (int)Math.Min(wait, int.MaxValue), _stop.Token))
            {
                _numbers.Assign(batch);
                return batch;
            }

            if (_queue.IsCompleted)
                _lastFailure!.Throw();
            if (wait == left || !_failures.IsEmpty)
                return [];
        }
    }

    /// <summary>Takes the reason why one of several namespaces is no longer watched, while others are.</summary>
    public bool TryTakeFailure([NotNullWhen(true)] out Exception? failure) => _failures.TryDequeue(out failure);

    /// <summary>Makes readers and consumer leave at once; from any thread, at any time, without waiting for them.</summary>
    public void Cancel()
    {
        lock (_cancelling)
        {
            if (_disposed)
                return;
            _stop.Cancel();
            _watched.Cancel();
        }
    }

    /// <summary>Stops listening, closes the sockets, and puts settings back.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        Cancel();
        lock (_cancelling)
            _disposed = true;
        _watched.Dispose();
        _queue.Dispose();
        _stop.Dispose();
    }

    private void ReadAll(WatchedNamespace watched)
    {
        try
        {
            watched.Run(batch => Enqueue(batch, watched));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
        catch (Exception exception)
        {
            if (!_watched.Leave(watched))
            {
                _failures.Enqueue(exception);
                return;
            }

            // What was read before it failed is still taken.
            _lastFailure = ExceptionDispatchInfo.Capture(exception);
            _queue.CompleteAdding();
        }
    }

    private void Enqueue(List<ConntrackEvent> batch, WatchedNamespace watched)
    {
        while (!_queue.TryAdd(batch, (int)StallTime.TotalMilliseconds, _stop.Token))
        {
            if (!_options.IsReliable || GaveUpReliability || _options.ReadFillPercent(watched.Namespace) < NearlyFullPercent)
                continue;
            watched.GiveUpReliability();
            GaveUpReliability = true;
        }
    }
}
