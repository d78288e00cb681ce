using ConntrackPS.Linux;

namespace ConntrackPS.Events.Receiving;

/// <summary>Receives the events of any number of subscriptions into a backlog, on one dedicated thread.</summary>
/// <remarks>A container host has hundreds of network namespaces, and few of them are busy at the same time.</remarks>
internal sealed class EventReceiver : IDisposable
{
    private static readonly TimeSpan IdleWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FullInterval = TimeSpan.FromSeconds(1);

    private readonly EventBacklog _backlog;
    private readonly Poller _poller = new();
    private readonly Thread _thread;
    private readonly Action<ulong> _onReady;

    // Replaced as a whole, so that the thread can iterate without a lock.
    private volatile EventChannel[] _channels = [];
    private volatile bool _cancelled;
    private ulong _tokens;
    private long _told;
    private long _looked = Environment.TickCount64;
    private bool _disposed;

    /// <param name="backlog">The backlog for received data and notes.</param>
    public EventReceiver(EventBacklog backlog)
    {
        _backlog = backlog;
        _thread = new Thread(Run) { IsBackground = true, Name = "ConntrackPS events" };
        _onReady = token => Array.Find(_channels, channel => channel.Token == token)?.Wake();
    }

    public void Start() => _thread.Start();

    /// <summary>Adds a subscription.</summary>
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

    /// <summary>Makes the thread check for requests.</summary>
    public void Nudge() => _poller.Nudge();

    /// <summary>Stops the thread, without waiting for it. May be called from any thread.</summary>
    public void Cancel()
    {
        _cancelled = true;
        _poller.Nudge();
    }

    /// <summary>Waits until the backlog has room, and informs all subscriptions that it is full.</summary>
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
            // The failure is not the fault of a single subscription.
            foreach (EventChannel channel in _channels)
                _backlog.Post(channel.Source, new BacklogNote.Ended(exception));
        }
    }

    private void ReceiveOnce()
    {
        // All are checked regularly: after an overrun there may be losses but no data, and a namespace may be gone.
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

    /// <returns>True if there is more to do immediately.</returns>
    private bool Serve(EventChannel channel, bool looks)
    {
        try
        {
            return channel.Receive(looks);
        }
        catch (OperationCanceledException)
        {
            // Cancelled.
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

/// <summary>One subscription of a receiver, with its position in the received data. <see cref="Cancel"/> and <see cref="RequestFence"/> may
/// be called from any thread.</summary>
internal sealed class EventChannel
{
    /// <summary>The number of datagrams to receive before losses, fences and other subscriptions are checked.</summary>
    private const int RoundSize = 512;

    /// <summary>The minimum that the kernel charges a receive buffer for a message. The real charge is higher.</summary>
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

    /// <param name="receiver">The receiver, after a call of <see cref="EventReceiver.Join"/>.</param>
    /// <param name="networkNamespace">The network namespace of the subscription.</param>
    /// <param name="subscription">An active subscription. It is closed with the channel.</param>
    /// <param name="backlog">The backlog of the receiver.</param>
    /// <param name="source">The source in the backlog.</param>
    /// <param name="onFull">Called on the receiving thread when the backlog is full, at most once a second.</param>
    public EventChannel(
        EventReceiver receiver, NetworkNamespace? networkNamespace, EventSubscription subscription, EventBacklog backlog, object source,
        Action? onFull = null)
    {
        (_receiver, _networkNamespace, _subscription, _backlog, Source, _onFull) =
            (receiver, networkNamespace, subscription, backlog, source, onFull);
        _mostQueued = subscription.ReceiveBufferSize / LeastMessageCost;
    }

    /// <summary>The source in the backlog.</summary>
    public object Source { get; }

    /// <summary>The token for the poller. 0 before it has joined.</summary>
    public ulong Token { get; private set; }

    /// <summary>True if there is a request or data.</summary>
    public bool IsDue => _isDue;

    /// <summary>Requests a note after everything that the kernel has queued or dropped so far.</summary>
    /// <param name="number">The number of the note. Each must be larger than the previous one.</param>
    public void RequestFence(int number)
    {
        _fenceAsked = number;
        Wake();
        _receiver.Nudge();
    }

    /// <summary>Requests to close it, without waiting.</summary>
    public void Cancel()
    {
        _subscription.Cancel();
        Wake();
        _receiver.Nudge();
    }

    /// <summary>Marks it as due.</summary>
    public void Wake() => _isDue = true;

    /// <summary>Closes the socket. Called by the receiver, or if it has not joined.</summary>
    public void Close() => _subscription.Dispose();

    internal void JoinAs(ulong token, Poller poller)
    {
        Token = token;
        _subscription.WatchBy(poller, token);
    }

    /// <summary>Reports that the backlog is full. An exception ends only this channel.</summary>
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

    /// <summary>Receives available data, up to the size of a round, and posts the notes whose position is reached. Called on the receiving
    /// thread.</summary>
    /// <param name="looks">True to check whether the namespace still exists.</param>
    /// <returns>True if there may be more.</returns>
    /// <exception cref="NetworkNamespaceException">ESTALE: the namespace is gone, and all its events have been received.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called, or the backlog is closed.</exception>
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

        // A socket may never become empty, but it delivers first what it held at the mark.
        if (_isMarked && (isDrained || _received - _mark > _mostQueued))
            PostNotes();
        if (!isDrained || _received != before)
            return _isDue = true;
        if (_isGone)
            throw new NetworkNamespaceException(_networkNamespace!.Name, Errno.Stale);

        // Its last events may have arrived since the socket was empty, and are still received. The socket keeps a deleted namespace alive,
        // and would wait forever in it.
        if (looks)
            _isGone = _networkNamespace?.LeadsTo(_subscription.Identity) == false;
        if (_isGone)
            _isDue = true;
        return _isDue;
    }

    /// <summary>Records that a fence was requested, or that messages were dropped. The note belongs after everything that is queued now.
    /// The drop count is read first, so that later drops are reported after the fence.</summary>
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

    /// <returns>True if no data is left.</returns>
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
