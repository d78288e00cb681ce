using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The events of one or several network namespaces. One thread receives those of all and does nothing else, into one
/// backlog; another thread makes events of them, through a short queue.</summary>
/// <remarks>While the consumer is slow the queue fills, then the backlog up to its bound, then the kernel's buffer; what that
/// can't hold is counted. One thread at a time may take events.</remarks>
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
    /// <param name="options">What to watch, and how.</param>
    /// <param name="networkNamespaces">Where; the caller's own unless given.</param>
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

    /// <summary>What the kernel granted as receive buffer of each socket, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _watched.ReceiveBufferSize;

    /// <summary>True once the kernel no longer keeps destroy events, since the table was nearly full and the events were not read.</summary>
    public bool GaveUpReliability => _watched.GaveUpReliability;

    /// <summary>How many events have been received and wait in the backlog.</summary>
    public long WaitingCount => _backlog.Count;

    /// <summary>How many events waited when the backlog was full for the first time; null while it never was.</summary>
    public long? WaitingCountWhenFull => _backlog.CountWhenFull;

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
            _backlog.Cancel();
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
            // Asked to stop.
        }
        catch (Exception exception)
        {
            // Nothing that one namespace is to blame for.
            _lastFailure = ExceptionDispatchInfo.Capture(exception);
            _queue.CompleteAdding();
        }
    }

    /// <summary>Tells what went wrong, at its place behind the events.</summary>
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

        // What was read before it failed is still taken.
        _lastFailure = ExceptionDispatchInfo.Capture(failure);
        _queue.CompleteAdding();
    }

    /// <summary>The empty batch wakes a consumer who waits for events.</summary>
    private void Tell(Exception failure)
    {
        _failures.Enqueue(failure);
        _queue.Add([], _stop.Token);
    }
}

/// <summary>What to watch, and how.</summary>
public sealed record EventOptions
{
    /// <summary>The receive buffer unless another is asked for: about 104,000 events, in bytes.</summary>
    public const int DefaultReceiveBufferSize = 64 * 1024 * 1024;

    /// <summary>The backlog unless another is asked for: about a million events of a burst, in bytes.</summary>
    public const long DefaultBacklogSize = 64 * 1024 * 1024;

    /// <summary>What the kernel charges a receive buffer, as it accounts it, for an event, in bytes.</summary>
    internal const int BytesPerWaitingEvent = 1280;

    /// <summary>The kinds of events: New, Update, Destroy; all of them unless given.</summary>
    public IReadOnlyCollection<ConntrackEventType> EventType { get; init; } =
        [ConntrackEventType.New, ConntrackEventType.Update, ConntrackEventType.Destroy];

    /// <summary>Which connections.</summary>
    public ConntrackFilter Filter { get; init; } = new();

    /// <summary>The socket's receive buffer in bytes; the kernel holds about one event in 640 of them (1,280 of the
    /// doubled size it grants). Past net.core.rmem_max it needs CAP_NET_ADMIN in the initial user namespace. Null for
    /// <see cref="DefaultReceiveBufferSize"/>, or as much of it as is allowed.</summary>
    public int? ReceiveBufferSize { get; init; }

    /// <summary>How much memory, in bytes, events may take that have been received and not been taken. The first quarter holds
    /// them as they came, 200 bytes or more each; from then on they are packed, an event of a burst to some 40 bytes. It is
    /// shared by all namespaces. While it is full, events wait in the receive buffers.</summary>
    public long BacklogSize { get; init; } = DefaultBacklogSize;

    /// <summary>Destroy events are kept in the kernel until they are delivered (NETLINK_BROADCAST_ERROR). While they wait
    /// they count in the table, so that this is given up when the table is nearly full. Where other events are watched too,
    /// a count of lost ones includes attempts to deliver that succeeded later.</summary>
    public bool IsReliable { get; init; }

    /// <summary>The present table comes first, as events of type Existing.</summary>
    public bool IncludeExisting { get; init; }

    /// <summary>After a loss the table is read, and what changed meanwhile comes as derived New, Update and Destroy events.</summary>
    public bool Resync { get; init; }

    /// <summary>Turns nf_conntrack_events on for all connections while this runs, and puts it back.</summary>
    public bool EnableEvents { get; init; }

    /// <summary>Watches all network namespaces that have a name, those of later included, beside the given ones.</summary>
    public bool FollowNamespaces { get; init; }

    /// <summary>Which connections of each network namespace, where that differs; null where <see cref="Filter"/> holds for all.</summary>
    internal Func<NetworkNamespace?, ConntrackFilter>? FilterIn { get; init; }

    internal Func<NetworkNamespace?, double> ReadFillPercent { get; init; } = TableFill.ReadPercent;

    internal bool UseKernelFilter { get; init; } = true;
}
