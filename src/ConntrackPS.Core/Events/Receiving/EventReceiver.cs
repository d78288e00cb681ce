using ConntrackPS.Linux;

namespace ConntrackPS.Events.Receiving;

/// <summary>Receives the events of one network namespace on a thread of its own, which does nothing else, into a backlog.
/// <see cref="Cancel"/> and <see cref="RequestFence"/> may come from any thread.</summary>
internal sealed class EventReceiver : IDisposable
{
    /// <summary>How many datagrams to receive before it is looked for losses and fences, and the reader is woken.</summary>
    private const int RoundSize = 512;

    /// <summary>The least that the kernel charges a receive buffer for a message; it is more in truth.</summary>
    private const int LeastMessageCost = 512;

    private static readonly TimeSpan IdleWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FullInterval = TimeSpan.FromSeconds(1);

    private readonly NetworkNamespace? _networkNamespace;
    private readonly EventSubscription _subscription;
    private readonly EventBacklog _backlog;
    private readonly object _source;
    private readonly Action? _onFull;
    private readonly Thread _thread;
    private readonly int _mostQueued;
    private volatile int _fenceAsked;
    private int _fence;
    private int _fencePosted;
    private uint _lost;
    private bool _isMarked;
    private long _mark;
    private long _received;
    private long _told;
    private long _checked = Environment.TickCount64;

    /// <param name="networkNamespace">Where the subscription listens.</param>
    /// <param name="subscription">Listens already; is disposed of with the receiver.</param>
    /// <param name="backlog">Takes what is received, and notes about it.</param>
    /// <param name="source">Whose the backlog is told it is.</param>
    /// <param name="onFull">Called on the thread, once a second at most, when the backlog has no room.</param>
    public EventReceiver(
        NetworkNamespace? networkNamespace, EventSubscription subscription, EventBacklog backlog, object source, Action? onFull = null)
    {
        (_networkNamespace, _subscription, _backlog, _source, _onFull) = (networkNamespace, subscription, backlog, source, onFull);
        _mostQueued = subscription.ReceiveBufferSize / LeastMessageCost;
        _thread = new Thread(Run) { IsBackground = true, Name = "ConntrackPS events" };
    }

    public void Start() => _thread.Start();

    /// <summary>Asks for a note behind all that the kernel has queued or dropped so far.</summary>
    /// <param name="number">The note's; each is larger than the one before.</param>
    public void RequestFence(int number)
    {
        _fenceAsked = number;
        _subscription.Nudge();
    }

    public void Cancel() => _subscription.Cancel();

    /// <summary>Waits for the thread, and closes the socket.</summary>
    public void Dispose()
    {
        _subscription.Cancel();
        if (_thread.IsAlive)
            _thread.Join();
        _subscription.Dispose();
    }

    private void Run()
    {
        try
        {
            _backlog.Post(_source, new BacklogNote.Began());
            Receive();
        }
        catch (OperationCanceledException)
        {
            // Asked to stop.
        }
        catch (Exception exception)
        {
            _backlog.Post(_source, new BacklogNote.Ended(exception));
        }
    }

    private void Receive()
    {
        for (bool isGone = false; ;)
        {
            MarkPlace();
            long before = _received;
            bool isDrained = ReceiveRound();

            // A socket may never be empty, but what it held at the mark comes out of it first.
            if (_isMarked && (isDrained || _received - _mark > _mostQueued))
                PostNotes();
            _backlog.Signal();
            if (!isDrained || _received != before)
                continue;
            if (isGone)
                throw new NetworkNamespaceException(_networkNamespace!.Name, Errno.Stale);

            // Its last events may have come since the socket was empty: they are still received.
            isGone = IsGone();
            if (!isGone)
                _subscription.Wait(IdleWait);
        }
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
            _backlog.Post(_source, new BacklogNote.Lost(_lost));
        if (_fence != _fencePosted)
            _backlog.Post(_source, new BacklogNote.Fence(_fence));
        (_lost, _fencePosted, _isMarked) = (0, _fence, false);
    }

    /// <returns>True where nothing is left.</returns>
    private bool ReceiveRound()
    {
        for (int i = 0; i < RoundSize; i++, _received++)
        {
            if (!_subscription.TryReceive(out ReadOnlySpan<byte> datagram))
                return true;
            while (!_backlog.TryAppend(_source, datagram))
                WaitForRoom();
        }

        return false;
    }

    private void WaitForRoom()
    {
        if (_onFull is not null && Environment.TickCount64 - _told >= FullInterval.TotalMilliseconds)
        {
            _onFull();
            _told = Environment.TickCount64;
        }

        _backlog.WaitForRoom(FullInterval);
    }

    /// <summary>The socket keeps a namespace alive that was deleted, and would wait for ever in it.</summary>
    private bool IsGone()
    {
        if (_networkNamespace is null || Environment.TickCount64 - _checked < IdleWait.TotalMilliseconds)
            return false;
        _checked = Environment.TickCount64;
        return !_networkNamespace.LeadsTo(_subscription.Identity);
    }
}
