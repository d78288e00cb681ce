using ConntrackPS.Events;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations.Events;

/// <summary>Listens to the events of expectations in one network namespace, on the caller's thread: they are few, and the
/// kernel's buffer holds thousands.</summary>
public sealed class ExpectationWatcher : IDisposable
{
    private const int BatchSize = 512;

    private readonly NetworkNamespace? _networkNamespace;
    private readonly EventSubscription _subscription;
    private readonly EventNumbers _numbers = new();
    private readonly MessageHandler _onMessage;
    private List<ConntrackExpectationEvent> _batch = [];

    /// <summary>Starts listening.</summary>
    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="eventTypes">New, Destroy, or both.</param>
    /// <param name="receiveBufferSize">As in <see cref="EventOptions.ReceiveBufferSize"/>.</param>
    /// <exception cref="ArgumentException">Another type is asked for, of which the kernel makes no events.</exception>
    /// <exception cref="NetlinkException">EPERM: listening needs CAP_NET_ADMIN.</exception>
    /// <exception cref="ReceiveBufferException">The kernel does not give the buffer that was asked for.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public ExpectationWatcher(
        NetworkNamespace? networkNamespace,
        IEnumerable<ConntrackEventType> eventTypes,
        int? receiveBufferSize = null)
    {
        NetfilterGroup[] groups = [.. eventTypes.Select(GroupOf)];
        _networkNamespace = networkNamespace;
        _onMessage = Take;
        _subscription = new EventSubscription(networkNamespace, groups, receiveBufferSize);
    }

    /// <summary>What the kernel granted as receive buffer, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _subscription.ReceiveBufferSize;

    /// <summary>Waits for events.</summary>
    /// <param name="timeout">How long.</param>
    /// <returns>The next events; empty when the time is up first.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public IReadOnlyList<ConntrackExpectationEvent> Take(TimeSpan timeout)
    {
        if (!_subscription.Wait(timeout))
            return [];
        _subscription.Read(BatchSize, _onMessage);
        if (_subscription.TakeLosses() is > 0 and var lost)
            _batch.Add(new ConntrackExpectationEvent(ConntrackEventType.Lost) { LostCount = lost });
        List<ConntrackExpectationEvent> taken = _batch;
        _batch = [];
        foreach (ConntrackExpectationEvent happened in taken)
            happened.Namespace = _networkNamespace?.Name;
        _numbers.Assign(taken);
        return taken;
    }

    /// <summary>Ends any wait and every later one, from any thread.</summary>
    public void Cancel() => _subscription.Cancel();

    /// <summary>Stops listening.</summary>
    public void Dispose() => _subscription.Dispose();

    /// <summary>The group of updates exists, but no kernel sends to it.</summary>
    private static NetfilterGroup GroupOf(ConntrackEventType type) => type switch
    {
        ConntrackEventType.New => NetfilterGroup.ConntrackExpNew,
        ConntrackEventType.Destroy => NetfilterGroup.ConntrackExpDestroy,
        _ => throw new ArgumentException($"The kernel makes no {type} events of expectations. Name New or Destroy.", nameof(type)),
    };

    private void Take(NetlinkMessage message)
    {
        if (ExpectationEventDecoder.Decode(message) is { } happened)
            _batch.Add(happened);
    }
}
