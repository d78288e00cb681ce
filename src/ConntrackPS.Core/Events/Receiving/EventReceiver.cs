using ConntrackPS.Linux;

namespace ConntrackPS.Events.Receiving;

/// <summary>Receives the events of any number of subscriptions on one thread, which does nothing else, into a backlog.</summary>
/// <remarks>A container host has hundreds of network namespaces, of which few have much to tell at a time.</remarks>
internal sealed class EventReceiver : IDisposable
{
    private static readonly TimeSpan IdleWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FullInterval = TimeSpan.FromSeconds(1);

    private readonly EventBacklog _backlog;
    private readonly Poller _poller = new();
    private readonly Thread _thread;
    private readonly Action<ulong> _onReady;

    // Replaced, never changed: the thread goes through it without a lock.
    private volatile EventChannel[] _channels = [];
    private volatile bool _cancelled;
    private ulong _tokens;
    private long _told;
    private long _looked = Environment.TickCount64;
    private bool _disposed;

    /// <param name="backlog">Takes what is received, and notes about it.</param>
    public EventReceiver(EventBacklog backlog)
    {
        _backlog = backlog;
        _thread = new Thread(Run) { IsBackground = true, Name = "ConntrackPS events" };
        _onReady = token => Array.Find(_channels, channel => channel.Token == token)?.Wake();
    }

    public void Start() => _thread.Start();

    /// <summary>Receives from one more subscription from now on.</summary>
    public void Join(EventChannel channel)
    {
        lock (_poller)
        {
            if (_cancelled)
                return;
            channel.JoinAs(++_tokens, _poller);
            _channels = [.. _channels, channel];
        }

        _poller.Nudge();
    }

    /// <summary>Has the thread look again at what it was asked for.</summary>
    public void Nudge() => _poller.Nudge();

    /// <summary>Makes the thread leave; from any thread, without waiting for it.</summary>
    public void Cancel()
    {
        _cancelled = true;
        _poller.Nudge();
    }

    /// <summary>Waits until the backlog has room, and tells all subscriptions that it has none.</summary>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    internal void WaitForRoom()
    {
        if (_cancelled)
            throw new OperationCanceledException();
        if (Environment.TickCount64 - _told >= FullInterval.TotalMilliseconds)
        {
            foreach (EventChannel channel in _channels)
                channel.TellOfFullness();
            _told = Environment.TickCount64;
        }

        _backlog.WaitForRoom(FullInterval);
    }

    /// <summary>Waits for the thread, and closes the sockets.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Cancel();
        if (_thread.IsAlive)
            _thread.Join();
        foreach (EventChannel channel in _channels)
            channel.Close();
        _poller.Dispose();
    }

    private void Run()
    {
        try
        {
            while (!_cancelled)
                ReceiveOnce();
        }
        catch (Exception exception)
        {
            // Nothing that one subscription is to blame for.
            foreach (EventChannel channel in _channels)
                _backlog.Post(channel.Source, new BacklogNote.Ended(exception));
        }
    }

    private void ReceiveOnce()
    {
        // Now and then all are looked at: an overrun may have left losses and no data, and a namespace may be gone.
        bool looks = Environment.TickCount64 - _looked >= IdleWait.TotalMilliseconds, isBusy = false;
        if (looks)
            _looked = Environment.TickCount64;
        foreach (EventChannel channel in _channels)
        {
            if ((channel.IsDue || looks) && !_cancelled)
                isBusy |= Serve(channel, looks);
        }

        _backlog.Signal();
        _poller.Wait(isBusy ? TimeSpan.Zero : IdleWait, _onReady);
    }

    /// <returns>True where there is more to do at once.</returns>
    private bool Serve(EventChannel channel, bool looks)
    {
        try
        {
            return channel.Receive(looks);
        }
        catch (OperationCanceledException)
        {
            // Asked to stop.
        }
        catch (Exception exception)
        {
            _backlog.Post(channel.Source, new BacklogNote.Ended(exception));
        }

        lock (_poller)
            _channels = [.. _channels.Where(other => other != channel)];
        channel.Close();
        return true;
    }
}

/// <summary>One subscription of a receiver, and its place among what has been received. <see cref="Cancel"/> and
/// <see cref="RequestFence"/> may come from any thread.</summary>
internal sealed class EventChannel
{
    /// <summary>How many datagrams to receive before it is looked for losses and fences, and for others' events.</summary>
    private const int RoundSize = 512;

    /// <summary>The least that the kernel charges a receive buffer for a message; it is more in truth.</summary>
    private const int LeastMessageCost = 512;

    private readonly EventReceiver _receiver;
    private readonly NetworkNamespace? _networkNamespace;
    private readonly EventSubscription _subscription;
    private readonly EventBacklog _backlog;
    private readonly Action? _onFull;
    private readonly int _mostQueued;
    private volatile bool _isDue = true;
    private volatile int _fenceAsked;
    private int _fence;
    private int _fencePosted;
    private uint _lost;
    private Exception? _failure;
    private bool _hasBegun;
    private bool _isGone;
    private bool _isMarked;
    private long _mark;
    private long _received;

    /// <param name="receiver">Receives, once it is told to <see cref="EventReceiver.Join"/>.</param>
    /// <param name="networkNamespace">Where the subscription listens.</param>
    /// <param name="subscription">Listens already; is closed with the channel.</param>
    /// <param name="backlog">The receiver's.</param>
    /// <param name="source">Whose the backlog is told it is.</param>
    /// <param name="onFull">Called on the receiving thread, once a second at most, when the backlog has no room.</param>
    public EventChannel(
        EventReceiver receiver, NetworkNamespace? networkNamespace, EventSubscription subscription, EventBacklog backlog, object source,
        Action? onFull = null)
    {
        (_receiver, _networkNamespace, _subscription, _backlog, Source, _onFull) =
            (receiver, networkNamespace, subscription, backlog, source, onFull);
        _mostQueued = subscription.ReceiveBufferSize / LeastMessageCost;
    }

    /// <summary>Whose the backlog is told it is.</summary>
    public object Source { get; }

    /// <summary>What the poller calls it; 0 before it has joined.</summary>
    public ulong Token { get; private set; }

    /// <summary>True where it was asked for something, or has data.</summary>
    public bool IsDue => _isDue;

    /// <summary>Asks for a note behind all that the kernel has queued or dropped so far.</summary>
    /// <param name="number">The note's; each is larger than the one before.</param>
    public void RequestFence(int number)
    {
        _fenceAsked = number;
        Wake();
        _receiver.Nudge();
    }

    /// <summary>Has it closed, without waiting for that.</summary>
    public void Cancel()
    {
        _subscription.Cancel();
        Wake();
        _receiver.Nudge();
    }

    /// <summary>Makes it due.</summary>
    public void Wake() => _isDue = true;

    /// <summary>Closes the socket; by the receiver, or where it has not joined.</summary>
    public void Close() => _subscription.Dispose();

    internal void JoinAs(ulong token, Poller poller)
    {
        Token = token;
        _subscription.WatchBy(poller, token);
    }

    /// <summary>Tells that the backlog has no room. What goes wrong then ends this channel alone.</summary>
    internal void TellOfFullness()
    {
        try
        {
            _onFull?.Invoke();
        }
        catch (Exception exception)
        {
            _failure ??= exception;
        }
    }

    /// <summary>Receives what is there, up to a round, and posts the notes whose place is reached; on the receiving thread.</summary>
    /// <param name="looks">Whether to look if the namespace is still there.</param>
    /// <returns>True where there may be more.</returns>
    /// <exception cref="NetworkNamespaceException">ESTALE: the namespace is gone, and all its events are received.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called, or the backlog takes nothing any more.</exception>
    internal bool Receive(bool looks)
    {
        _isDue = false;
        if (_failure is not null)
            throw _failure;
        if (!_hasBegun)
            _backlog.Post(Source, new BacklogNote.Began());
        _hasBegun = true;
        MarkPlace();
        long before = _received;
        bool isDrained = ReceiveRound();

        // A socket may never be empty, but what it held at the mark comes out of it first.
        if (_isMarked && (isDrained || _received - _mark > _mostQueued))
            PostNotes();
        if (!isDrained || _received != before)
            return _isDue = true;
        if (_isGone)
            throw new NetworkNamespaceException(_networkNamespace!.Name, Errno.Stale);

        // Its last events may have come since the socket was empty: they are still received. The socket keeps a namespace alive
        // that was deleted, and would wait for ever in it.
        if (looks)
            _isGone = _networkNamespace?.LeadsTo(_subscription.Identity) == false;
        if (_isGone)
            _isDue = true;
        return _isDue;
    }

    /// <summary>Takes note that a fence is asked for, or that messages were dropped: either belongs behind all that is
    /// queued now. The count of drops is read first, so that what is dropped from now on is told behind the fence.</summary>
    private void MarkPlace()
    {
        int asked = _fenceAsked;
        if (_isMarked && asked == _fence)
            return;
        _lost += _subscription.TakeLosses();
        _isMarked = _lost > 0 || asked != _fence;
        (_fence, _mark) = (asked, _received);
    }

    private void PostNotes()
    {
        if (_lost > 0)
            _backlog.Post(Source, new BacklogNote.Lost(_lost));
        if (_fence != _fencePosted)
            _backlog.Post(Source, new BacklogNote.Fence(_fence));
        (_lost, _fencePosted, _isMarked) = (0, _fence, false);
    }

    /// <returns>True where nothing is left.</returns>
    private bool ReceiveRound()
    {
        for (int i = 0; i < RoundSize; i++, _received++)
        {
            if (!_subscription.TryReceive(out ReadOnlySpan<byte> datagram))
                return true;
            while (!_backlog.TryAppend(Source, datagram))
                _receiver.WaitForRoom();
        }

        return false;
    }
}
