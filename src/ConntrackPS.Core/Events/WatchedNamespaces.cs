using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The network namespaces of a stream, including those that get a name later with <see
/// cref="EventOptions.FollowNamespaces"/>.</summary>
/// <remarks>Only the consumer adds members. They leave on the reading thread.</remarks>
internal sealed class WatchedNamespaces(EventOptions options, EventBacklog backlog, Action<List<ConntrackEvent>> emit) : IDisposable
{
    /// <summary>The interval of checks for new names, in milliseconds.</summary>
    public const int LookInterval = 1000;

    private readonly EventReceiver _receiver = new(backlog);
    private readonly List<WatchedNamespace> _members = [];
    private readonly List<WatchedNamespace> _left = [];
    private readonly Dictionary<string, int> _attempts = [];
    private long _nextLook;

    /// <summary>The receive buffer that the kernel granted for each socket, in bytes. The kernel doubles the requested size for its own
    /// bookkeeping.</summary>
    public int ReceiveBufferSize { get; private set; }

    /// <summary>Starts to listen in a namespace.</summary>
    public WatchedNamespace Add(NetworkNamespace? networkNamespace)
    {
        EventOptions its = options.FilterIn is { } filterIn ? options with { Filter = filterIn(networkNamespace) } : options;
        WatchedNamespace added = new(networkNamespace, its, backlog, _receiver, emit);
        ReceiveBufferSize = added.ReceiveBufferSize;
        lock (_members)
            _members.Add(added);
        return added;
    }

    /// <summary>True after reliable delivery of destroy events was switched off in any namespace.</summary>
    public bool GaveUpReliability
    {
        get
        {
            lock (_members)
                return _members.Exists(member => member.GaveUpReliability);
        }
    }

    /// <summary>The namespaces that are currently watched.</summary>
    public WatchedNamespace[] Members()
    {
        lock (_members)
            return [.. _members];
    }

    /// <summary>Starts to receive.</summary>
    public void Start()
    {
        _receiver.Start();
        foreach (WatchedNamespace member in Members())
            member.Start();
    }

    /// <summary>Starts to listen in namespaces that got a name since the last check.</summary>
    /// <param name="onFailure">Called once with the reason if a namespace can't be watched.</param>
    public void AddNewcomers(Action<Exception> onFailure)
    {
        if (Environment.TickCount64 < _nextLook)
            return;
        _nextLook = Environment.TickCount64 + LookInterval;
        DisposeLeft();
        foreach (string name in NetworkNamespace.Names().Except(Names()))
        {
            try
            {
                NetworkNamespace newcomer = NetworkNamespace.Parse(name);
                if (!IsWatched(NetworkNamespace.ReadIdentity(newcomer)))
                    Add(newcomer).Start();
                _attempts.Remove(name);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // The name appears shortly before its namespace, so the first failure is ignored. Later failures repeat the second.
                int attempts = _attempts[name] = _attempts.GetValueOrDefault(name) + 1;
                if (attempts == 2)
                    onFailure(exception);
            }
        }
    }

    /// <summary>Removes a member that has no more events.</summary>
    /// <returns>True if no member is left and none can be added.</returns>
    public bool Leave(WatchedNamespace member)
    {
        lock (_members)
        {
            _members.Remove(member);
            _left.Add(member);
            return _members.Count == 0 && !options.FollowNamespaces;
        }
    }

    /// <summary>Ends the waits of all members.</summary>
    public void Cancel()
    {
        _receiver.Cancel();
        lock (_members)
        {
            foreach (WatchedNamespace member in _members)
                member.Cancel();
        }
    }

    /// <summary>Waits for the thread, closes the sockets, and restores settings.</summary>
    public void Dispose()
    {
        _receiver.Dispose();
        foreach (WatchedNamespace member in Members())
            member.Dispose();
        DisposeLeft();
    }

    private string[] Names()
    {
        lock (_members)
            return [.. _members.Select(member => member.Namespace?.Name).OfType<string>()];
    }

    /// <summary>A namespace may have two names, or be the caller's own.</summary>
    private bool IsWatched(string identity)
    {
        lock (_members)
            return _members.Exists(member => member.Identity == identity);
    }

    private void DisposeLeft()
    {
        WatchedNamespace[] left;
        lock (_members)
        {
            left = [.. _left];
            _left.Clear();
        }

        foreach (WatchedNamespace member in left)
            member.Dispose();
    }
}

/// <summary>One watched network namespace: its receiver, its reader, and the setting to restore.</summary>
internal sealed class WatchedNamespace : IDisposable
{
    private const double NearlyFullPercent = 90;

    private readonly EventOptions _options;
    private readonly EventBacklog _backlog;
    private readonly EventSubscription _subscription;
    private readonly EventReceiver _receiver;
    private readonly EventChannel _channel;
    private readonly EventReader _reader;
    private readonly IDisposable? _enabled;
    private bool _hasFailed;

    /// <summary>Starts to listen. Nothing is received before <see cref="Start"/>.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="options">The options of the watch.</param>
    /// <param name="backlog">The backlog for received data.</param>
    /// <param name="receiver">The receiver of all watched namespaces.</param>
    /// <param name="emit">Receives the events on the reading thread.</param>
    public WatchedNamespace(
        NetworkNamespace? networkNamespace, EventOptions options, EventBacklog backlog, EventReceiver receiver, Action<List<ConntrackEvent>> emit)
    {
        (Namespace, _options, _backlog, _receiver) = (networkNamespace, options, backlog, receiver);
        _subscription = new EventSubscription(networkNamespace, EventReader.HeardFor(options));
        try
        {
            ReceiveBufferSize = _subscription.ReceiveBufferSize;
            _channel = new EventChannel(
                receiver, networkNamespace, _subscription, backlog, this, options.IsReliable ? GiveUpBeforeTheTableIsFull : null);
            _reader = new EventReader(networkNamespace, options, _channel.RequestFence, emit);
            _enabled = options.EnableEvents ? EventSwitch.Enable(networkNamespace) : null;
        }
        catch
        {
            _subscription.Dispose();
            throw;
        }
    }

    /// <summary>The network namespace, or null for the caller's own.</summary>
    public NetworkNamespace? Namespace { get; }

    /// <summary>The kernel's name for it.</summary>
    public string Identity => _subscription.Identity;

    /// <summary>The receive buffer that the kernel granted, in bytes. The kernel doubles the requested size for its own
    /// bookkeeping.</summary>
    public int ReceiveBufferSize { get; }

    /// <summary>True after reliable delivery of destroy events was switched off, because the table was nearly full and the events were not
    /// read.</summary>
    public bool GaveUpReliability { get; private set; }

    public void Start() => _receiver.Join(_channel);

    /// <summary>Reads an item of this namespace to its end. Called on the reading thread.</summary>
    /// <returns>The reason why there are no more events, or null if there may be more.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public Exception? Take(BacklogItem item)
    {
        try
        {
            while (_backlog.TryRead(item, out ReadOnlySpan<byte> datagram))
            {
                if (!_hasFailed)
                    _reader.Take(datagram);
            }

            if (_hasFailed)
                return null;
            if (item.Note is BacklogNote.Ended ended)
                return Fail(ended.Reason);
            if (item.Note is not null)
                _reader.Take(item.Note);
            _reader.Proceed();
            return null;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The rest must be unpacked in any case, because messages of other namespaces follow.
            while (_backlog.TryRead(item, out _))
            {
            }

            return Fail(exception);
        }
    }

    /// <summary>Does pending work that needs no event. Called on the reading thread.</summary>
    /// <returns>As for <see cref="Take"/>.</returns>
    public Exception? Look()
    {
        try
        {
            if (!_hasFailed)
                _reader.Proceed();
            return null;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return Fail(exception);
        }
    }

    /// <summary>Returned once for each period in which no complete listing of the table succeeded for too long.</summary>
    public IncompleteTableException? TakeIncompleteness() =>
        _reader.TakeIncompleteness() ? new IncompleteTableException(Namespace?.Name) : null;

    public void Cancel()
    {
        _channel.Cancel();
        _reader.Cancel();
    }

    /// <summary>Closes the socket, through the receiver if it has joined, and restores the setting.</summary>
    public void Dispose()
    {
        if (_channel.Token == 0)
            _channel.Close();
        else
            _channel.Cancel();
        _enabled?.Dispose();
    }

    private Exception Fail(Exception exception)
    {
        // Earlier events are still reported.
        _hasFailed = true;
        _channel.Cancel();
        _reader.Emit();
        return exception;
    }

    /// <summary>Unread destroy events fill the table, and then packets are dropped.</summary>
    private void GiveUpBeforeTheTableIsFull()
    {
        if (GaveUpReliability || _options.ReadFillPercent(Namespace) < NearlyFullPercent)
            return;
        _subscription.SetReliable(false);
        GaveUpReliability = true;
    }
}

/// <summary>Repeated attempts to read the complete table failed. The events that depend on it are delayed.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
public sealed class IncompleteTableException(string? networkNamespace)
    : Exception(
        $"The connection-tracking table{(networkNamespace is null ? "" : $" of network namespace '{networkNamespace}'")} could not be read completely, "
        + "so connections that started or ended during a loss are not reported yet. It is read again every few seconds.")
{
    /// <summary>The network namespace, or null for the caller's own.</summary>
    public string? NetworkNamespace { get; } = networkNamespace;
}
