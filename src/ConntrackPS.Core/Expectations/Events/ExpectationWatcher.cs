using System.Runtime.ExceptionServices;
using ConntrackPS.Events;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations.Events;

/// <summary>Receives expectation events of one network namespace. A dedicated thread receives them into a backlog. The caller's thread
/// decodes them.</summary>
/// <remarks>Only one thread at a time may take events.</remarks>
public sealed class ExpectationWatcher : IDisposable
{
    private readonly NetworkNamespace? _networkNamespace;
    private readonly EventBacklog _backlog;
    private readonly EventReceiver _receiver;
    private readonly EventNumbers _numbers = new();
    private Exception? _failure;

    /// <summary>Starts listening.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="eventTypes">New, Destroy, or both.</param>
    /// <param name="receiveBufferSize">As in <see cref="EventOptions.ReceiveBufferSize"/>.</param>
    /// <param name="backlogSize">As in <see cref="EventOptions.BacklogSize"/>.</param>
    /// <exception cref="ArgumentException">The kernel produces no events of the requested type.</exception>
    /// <exception cref="NetlinkException">EPERM: listening needs CAP_NET_ADMIN.</exception>
    /// <exception cref="ReceiveBufferException">The kernel does not grant the requested buffer.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public ExpectationWatcher(
        NetworkNamespace? networkNamespace,
        IEnumerable<ConntrackEventType> eventTypes,
        int? receiveBufferSize = null,
        long backlogSize = EventOptions.DefaultBacklogSize)
    {
        NetfilterGroup[] groups = [.. eventTypes.Select(GroupOf)];
        _networkNamespace = networkNamespace;
        _backlog = new EventBacklog(backlogSize);
        EventSubscription subscription = new(networkNamespace, groups, receiveBufferSize);
        try
        {
            ReceiveBufferSize = subscription.ReceiveBufferSize;
            _receiver = new EventReceiver(_backlog);
            _receiver.Join(new EventChannel(_receiver, networkNamespace, subscription, _backlog, this));
            _receiver.Start();
        }
        catch
        {
            subscription.Dispose();
            throw;
        }
    }

    /// <summary>The receive buffer that the kernel granted, in bytes. The kernel doubles the requested size for its own
    /// bookkeeping.</summary>
    public int ReceiveBufferSize { get; }

    /// <summary>See <see cref="EventStream.WaitingCountWhenFull"/>.</summary>
    public long? WaitingCountWhenFull => _backlog.CountWhenFull;

    /// <summary>Waits for events.</summary>
    /// <param name="timeout">The maximum wait.</param>
    /// <returns>The next events. Empty after the timeout.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace was deleted (ESTALE), and all its events have been taken.</exception>
    /// <exception cref="NetlinkProtocolException">An event is malformed.</exception>
    public IReadOnlyList<ConntrackExpectationEvent> Take(TimeSpan timeout)
    {
        List<ConntrackExpectationEvent> taken = [];
        for (long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds; taken.Count == 0 && _failure is null;)
        {
            if (_backlog.Take(TimeSpan.FromMilliseconds(Math.Max(end - Environment.TickCount64, 0))) is not { } item)
                return [];
            while (_backlog.TryRead(item, out ReadOnlySpan<byte> datagram))
                Decode(datagram, taken);
            if (item.Note is BacklogNote.Lost lost)
                taken.Add(new ConntrackExpectationEvent(ConntrackEventType.Lost) { EventTime = DateTime.Now, LostCount = lost.Count });
            _failure = (item.Note as BacklogNote.Ended)?.Reason;
        }

        if (taken.Count == 0)
            ExceptionDispatchInfo.Throw(_failure!);
        foreach (ConntrackExpectationEvent happened in taken)
            happened.Namespace = _networkNamespace?.Name;
        _numbers.Assign(taken);
        return taken;
    }

    /// <summary>Ends any current wait and all later ones. May be called from any thread.</summary>
    public void Cancel()
    {
        _backlog.Cancel();
        _receiver.Cancel();
    }

    /// <summary>Stops listening.</summary>
    public void Dispose()
    {
        Cancel();
        _receiver.Dispose();
        _backlog.Dispose();
    }

    /// <summary>A group for updates exists, but no kernel sends to it.</summary>
    private static NetfilterGroup GroupOf(ConntrackEventType type) => type switch
    {
        ConntrackEventType.New => NetfilterGroup.ConntrackExpNew,
        ConntrackEventType.Destroy => NetfilterGroup.ConntrackExpDestroy,
        _ => throw new ArgumentException($"The kernel produces no {type} events of expectations. Name New or Destroy.", nameof(type)),
    };

    private static void Decode(ReadOnlySpan<byte> datagram, List<ConntrackExpectationEvent> into)
    {
        MessageReader messages = new(datagram);
        while (messages.TryRead(out NetlinkMessage message))
        {
            if (ExpectationEventDecoder.Decode(message) is { } happened)
                into.Add(happened);
        }
    }
}

/// <summary>An event of an expectation. It is also an expectation, so it can be piped like one.</summary>
/// <remarks>The kernel reports only new and ended expectations, without time and zone. Text of <c>conntrack -E expect</c> may contain the
/// time.</remarks>
public sealed class ConntrackExpectationEvent : ConntrackExpectation, INumberedEvent
{
    internal ConntrackExpectationEvent(ConntrackEventType type) => EventType = type;

    /// <summary>The event type: New, Destroy (the connection started, the timeout expired, or it was deleted), Existing, Lost; in text also
    /// Update.</summary>
    public ConntrackEventType EventType { get; }

    /// <summary>When it was received, local time; null if a text lacks it.</summary>
    public DateTime? EventTime { get; internal init; }

    /// <summary>The event's number, from 1. Lost events are counted in, so that a gap is a loss. Null for events of a text.</summary>
    public ulong? Sequence { get; private set; }

    /// <summary>The number of lost events, for events of type Lost.</summary>
    public ulong? LostCount { get; internal set; }

    ulong INumberedEvent.Sequence
    {
        set => Sequence = value;
    }

    /// <summary>The event on one line.</summary>
    public override string ToString() =>
        EventType == ConntrackEventType.Lost ? $"{LostCount} events lost" : $"{EventType} {base.ToString()}";
}

/// <summary>Decodes an event from a message of the groups NFNLGRP_CONNTRACK_EXP_*.</summary>
internal static class ExpectationEventDecoder
{
    /// <returns>Null for a message that is not an event of an expectation.</returns>
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackExpectationEvent? Decode(NetlinkMessage message)
    {
        ConntrackEventType? type = (ExpectationMessage)message.Type switch
        {
            ExpectationMessage.New => ConntrackEventType.New,
            ExpectationMessage.Delete => ConntrackEventType.Destroy,
            _ => null,
        };
        if (type is not { } known)
            return null;
        ConntrackExpectationEvent happened = new(known) { EventTime = DateTime.Now };
        ExpectationDecoder.Decode(message, happened);
        return happened;
    }
}
