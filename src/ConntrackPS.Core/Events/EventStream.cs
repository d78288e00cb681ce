using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The events of one or more network namespaces. One dedicated thread receives all of them into one backlog. Another thread
/// decodes them into a short queue.</summary>
/// <remarks>If the consumer is slow, first the queue fills, then the backlog up to its limit, then the kernel's buffer. Events that do not
/// fit there are lost and counted. Only one thread at a time may take events.</remarks>
public sealed class EventStream : IDisposable
{
    private const int QueuedBatches = 16;
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(200);

    private readonly BlockingCollection<List<ConntrackEvent>> _queue = new(QueuedBatches);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<Exception> _failures = [];
    private readonly EventNumbers _numbers = new();
    private readonly EventOptions _options;
    private readonly EventBacklog _backlog;
    private readonly WatchedNamespaces _watched;
    private readonly Thread _reader;
    private readonly object _cancelling = new();
    private ExceptionDispatchInfo? _lastFailure;
    private bool _disposed;

    /// <summary>Starts listening.</summary>
    /// <param name="options">The options of the watch.</param>
    /// <param name="networkNamespaces">The network namespaces. The default is the caller's own.</param>
    /// <exception cref="Netlink.NetlinkException">EPERM: listening needs CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">A namespace can't be entered.</exception>
    /// <exception cref="ReceiveBufferException">The kernel refused the receive buffer.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no events.</exception>
    public EventStream(EventOptions options, params NetworkNamespace[] networkNamespaces)
        : this(TargetsOf(options, networkNamespaces), options)
    {
    }

    /// <summary>Starts listening in some network namespaces, of which null is the caller's own.</summary>
    internal EventStream(IReadOnlyList<NetworkNamespace?> targets, EventOptions options)
    {
        Platform.RequireLinux();
        _options = options;
        _backlog = new EventBacklog(options.BacklogSize);
        _watched = new WatchedNamespaces(options, _backlog, batch => _queue.Add(batch, _stop.Token));
        _reader = new Thread(ReadAll) { IsBackground = true, Name = "ConntrackPS event reader" };
        try
        {
            foreach (NetworkNamespace? target in targets)
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
        _reader.Start();
    }

    private static NetworkNamespace?[] TargetsOf(EventOptions options, NetworkNamespace[] networkNamespaces)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(networkNamespaces);
        return networkNamespaces is [] ? [options.FollowNamespaces ? NetworkNamespace.FindOwnName() : null] : [.. networkNamespaces];
    }

    /// <summary>The receive buffer that the kernel granted for each socket, in bytes. The kernel doubles the requested size for its own
    /// bookkeeping.</summary>
    public int ReceiveBufferSize => _watched.ReceiveBufferSize;

    /// <summary>True after reliable delivery of destroy events was switched off, because the table was nearly full and the events were not
    /// read.</summary>
    public bool GaveUpReliability => _watched.GaveUpReliability;

    /// <summary>The number of received events that wait in the backlog.</summary>
    public long WaitingCount => _backlog.Count;

    /// <summary>The number of waiting events when the backlog was full for the first time. Null if it never was.</summary>
    public long? WaitingCountWhenFull => _backlog.CountWhenFull;

    /// <summary>Waits for events.</summary>
    /// <param name="timeout">The maximum wait.</param>
    /// <returns>The next events. Empty after the timeout, or if there is a failure to take.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    /// <exception cref="NetworkNamespaceException">The only namespace was deleted (ESTALE), and all its events have been taken.</exception>
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

    /// <summary>Stops readers and consumer immediately, without waiting for them. May be called from any thread at any time.</summary>
    public void Cancel()
    {
        lock (_cancelling)
        {
            if (_disposed)
                return;
            _stop.Cancel();
            _backlog.Cancel();
            _watched.Cancel();
        }
    }

    /// <summary>Stops listening, closes the sockets, and restores settings.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        Cancel();
        lock (_cancelling)
            _disposed = true;
        if (_reader.IsAlive)
            _reader.Join();
        _watched.Dispose();
        _backlog.Dispose();
        _queue.Dispose();
        _stop.Dispose();
    }

    private void ReadAll()
    {
        try
        {
            long nextLook = 0;
            while (!_queue.IsAddingCompleted)
            {
                BacklogItem? item = _backlog.Take(LookInterval);
                if (item?.Source is WatchedNamespace source)
                    Watch(source, source.Take(item));
                if (Environment.TickCount64 < nextLook)
                    continue;
                nextLook = Environment.TickCount64 + (long)LookInterval.TotalMilliseconds;
                foreach (WatchedNamespace member in _watched.Members())
                    Watch(member, member.Look());
            }
        }
        catch (OperationCanceledException)
        {
            // Cancelled.
        }
        catch (Exception exception)
        {
            // The failure is not the fault of a single namespace.
            _lastFailure = ExceptionDispatchInfo.Capture(exception);
            _queue.CompleteAdding();
        }
    }

    /// <summary>Reports a failure in its order after the events.</summary>
    private void Watch(WatchedNamespace member, Exception? failure)
    {
        if (member.TakeIncompleteness() is { } incomplete)
            Tell(incomplete);
        if (failure is null)
            return;
        if (!_watched.Leave(member))
        {
            Tell(failure);
            return;
        }

        // Events received before the failure can still be taken.
        _lastFailure = ExceptionDispatchInfo.Capture(failure);
        _queue.CompleteAdding();
    }

    /// <summary>The empty batch wakes a consumer that waits for events.</summary>
    private void Tell(Exception failure)
    {
        _failures.Enqueue(failure);
        _queue.Add([], _stop.Token);
    }
}

/// <summary>The options of a watch.</summary>
public sealed record EventOptions
{
    /// <summary>The default receive buffer, in bytes: about 104,000 events.</summary>
    public const int DefaultReceiveBufferSize = 64 * 1024 * 1024;

    /// <summary>The default backlog, in bytes: about a million events of a burst.</summary>
    public const long DefaultBacklogSize = 64 * 1024 * 1024;

    /// <summary>The bytes of the granted receive buffer that the kernel charges for one event.</summary>
    internal const int BytesPerWaitingEvent = 1280;

    /// <summary>The event types: New, Update, Destroy. The default is all.</summary>
    public IReadOnlyCollection<ConntrackEventType> EventType { get; init; } =
        [ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy];

    /// <summary>The filter for connections.</summary>
    public ConntrackFilter Filter { get; init; } = new();

    /// <summary>The socket's receive buffer in bytes. The kernel stores about one event per 640 bytes (1,280 of the doubled size that it
    /// grants). A size above net.core.rmem_max needs CAP_NET_ADMIN in the initial user namespace. Null for <see
    /// cref="DefaultReceiveBufferSize"/>, or as much of it as is allowed.</summary>
    public int? ReceiveBufferSize { get; init; }

    /// <summary>The maximum memory for events that are received but not taken, in bytes. The first quarter stores them unchanged, 200 bytes
    /// or more each. Above that they are compressed: an event of a burst needs about 40 bytes. All namespaces share it. While it is full,
    /// events wait in the receive buffers.</summary>
    public long BacklogSize { get; init; } = DefaultBacklogSize;

    /// <summary>The kernel keeps destroy events until they are delivered (NETLINK_BROADCAST_ERROR). Waiting ones count as entries of the
    /// table, so this is switched off when the table is nearly full. If other event types are watched too, the count of lost events
    /// includes deliveries that succeeded later.</summary>
    public bool IsReliable { get; init; }

    /// <summary>Emits the current table first, as events of type Existing.</summary>
    public bool IncludeExisting { get; init; }

    /// <summary>Reads the table after a loss, and emits the changes as derived New, Update and Destroy events.</summary>
    public bool Resync { get; init; }

    /// <summary>Turns nf_conntrack_events on for all connections during the watch, and restores it afterwards.</summary>
    public bool EnableEvents { get; init; }

    /// <summary>Watches all named network namespaces, including later ones, in addition to the given ones.</summary>
    public bool FollowNamespaces { get; init; }

    /// <summary>The connections of each network namespace, if they differ; null if <see cref="Filter"/> applies to all.</summary>
    internal Func<NetworkNamespace?, ConntrackFilter>? FilterIn { get; init; }

    internal Func<NetworkNamespace?, double> ReadFillPercent { get; init; } = TableFill.ReadPercent;

    internal bool UseKernelFilter { get; init; } = true;
}
