using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The network namespaces that a stream listens to; under <see cref="EventOptions.FollowNamespaces"/> also those
/// that get a name later.</summary>
/// <remarks>Members are added by the consumer alone; they leave on the thread that reads.</remarks>
internal sealed class WatchedNamespaces(EventOptions options, EventBacklog backlog, Action<List<ConntrackEvent>> emit) : IDisposable
{
    /// <summary>How often to look for new names, in milliseconds.</summary>
    public const int LookInterval = 1000;

    private readonly EventReceiver _receiver = new(backlog);
    private readonly List<WatchedNamespace> _members = [];
    private readonly List<WatchedNamespace> _left = [];
    private readonly Dictionary<string, int> _attempts = [];
    private long _nextLook;

    /// <summary>What the kernel granted as receive buffer of each socket, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize { get; private set; }

    /// <summary>Listens in a namespace from now on.</summary>
    public WatchedNamespace Add(NetworkNamespace? networkNamespace)
    {
        EventOptions its = options.FilterIn is { } filterIn ? options with { Filter = filterIn(networkNamespace) } : options;
        WatchedNamespace added = new(networkNamespace, its, backlog, _receiver, emit);
        ReceiveBufferSize = added.ReceiveBufferSize;
        lock (_members)
            _members.Add(added);
        return added;
    }

    /// <summary>True once the kernel keeps destroy events of some namespace no longer.</summary>
    public bool GaveUpReliability
    {
        get
        {
            lock (_members)
                return _members.Exists(member => member.GaveUpReliability);
        }
    }

    /// <summary>Those that are watched now.</summary>
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

    /// <summary>Listens in namespaces that have a name since the last look.</summary>
    /// <param name="onFailure">Is told why one can't be listened to, once.</param>
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
                // A name is there a moment before its namespace: the first failure means nothing, and later ones are the same.
                int attempts = _attempts[name] = _attempts.GetValueOrDefault(name) + 1;
                if (attempts == 2)
                    onFailure(exception);
            }
        }
    }

    /// <summary>Takes note that nothing more comes from a member.</summary>
    /// <returns>True where none is left, and none will come.</returns>
    public bool Leave(WatchedNamespace member)
    {
        lock (_members)
        {
            _members.Remove(member);
            _left.Add(member);
            return _members.Count == 0 && !options.FollowNamespaces;
        }
    }

    /// <summary>Ends the waits of all.</summary>
    public void Cancel()
    {
        _receiver.Cancel();
        lock (_members)
        {
            foreach (WatchedNamespace member in _members)
                member.Cancel();
        }
    }

    /// <summary>Waits for the thread, closes the sockets, and puts settings back.</summary>
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

/// <summary>One network namespace that is listened to: what receives, what reads, and the setting to put back.</summary>
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

    /// <summary>Listens from now on; nothing is received before <see cref="Start"/>.</summary>
    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="options">What to watch, and how.</param>
    /// <param name="backlog">Takes what is received.</param>
    /// <param name="receiver">Receives, for all that are watched.</param>
    /// <param name="emit">Takes the events, on the thread that reads.</param>
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

    /// <summary>Which one; null for the caller's own.</summary>
    public NetworkNamespace? Namespace { get; }

    /// <summary>The kernel's own name of it.</summary>
    public string Identity => _subscription.Identity;

    /// <summary>What the kernel granted as receive buffer, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize { get; }

    /// <summary>True once the kernel no longer keeps destroy events, since the table was nearly full and the events were not read.</summary>
    public bool GaveUpReliability { get; private set; }

    public void Start() => _receiver.Join(_channel);

    /// <summary>Takes an item of the backlog that is of this namespace, to its end; on the thread that reads.</summary>
    /// <returns>Why nothing more comes; null while something may.</returns>
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
            // The rest is unpacked anyway: messages of other namespaces come after it.
            while (_backlog.TryRead(item, out _))
            {
            }

            return Fail(exception);
        }
    }

    /// <summary>Does what is due without an event; on the thread that reads.</summary>
    /// <returns>As <see cref="Take"/>.</returns>
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

    /// <summary>The table could not be read whole for too long: said once each time.</summary>
    public IncompleteTableException? TakeIncompleteness() =>
        _reader.TakeIncompleteness() ? new IncompleteTableException(Namespace?.Name) : null;

    public void Cancel()
    {
        _channel.Cancel();
        _reader.Cancel();
    }

    /// <summary>Has the socket closed, by the receiver where that has it, and puts the setting back.</summary>
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
        // What came before is still told.
        _hasFailed = true;
        _channel.Cancel();
        _reader.Emit();
        return exception;
    }

    /// <summary>Destroy events that are not read fill the table, and then packets are dropped.</summary>
    private void GiveUpBeforeTheTableIsFull()
    {
        if (GaveUpReliability || _options.ReadFillPercent(Namespace) < NearlyFullPercent)
            return;
        _subscription.SetReliable(false);
        GaveUpReliability = true;
    }
}

/// <summary>The table could not be read whole, time and again, so that what it would have told is still to come.</summary>
/// <param name="networkNamespace">Where; null for the caller's own.</param>
public sealed class IncompleteTableException(string? networkNamespace)
    : Exception(
        $"The connection-tracking table{(networkNamespace is null ? "" : $" of network namespace '{networkNamespace}'")} could not be read completely, "
        + "so connections that started or ended during a loss are not reported yet. It is read again every few seconds.")
{
    /// <summary>Where; null for the caller's own.</summary>
    public string? NetworkNamespace { get; } = networkNamespace;
}
