using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

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

    /// <summary>True once the kernel no longer keeps destroy events, since the table was nearly full and nobody took them.</summary>
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
            // The rest is unpacked all the same: what others sent lies behind it.
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

    /// <summary>Destroy events that nobody takes fill the table, and then packets are dropped.</summary>
    private void GiveUpBeforeTheTableIsFull()
    {
        if (GaveUpReliability || _options.ReadFillPercent(Namespace) < NearlyFullPercent)
            return;
        _subscription.SetReliable(false);
        GaveUpReliability = true;
    }
}
