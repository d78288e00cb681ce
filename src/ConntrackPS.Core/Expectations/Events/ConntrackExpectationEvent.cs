using ConntrackPS.Events;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations.Events;

/// <summary>An event of an expectation. Being an expectation itself, it can be piped wherever one can.</summary>
/// <remarks>The kernel tells of beginnings and ends alone, and neither the time nor the zone.</remarks>
public sealed class ConntrackExpectationEvent : ConntrackExpectation, INumberedEvent
{
    internal ConntrackExpectationEvent(ConntrackEventType type) => EventType = type;

    /// <summary>What happened: New, Destroy (a connection met it, its time was up, or it was deleted), Existing, Lost.</summary>
    public ConntrackEventType EventType { get; }

    /// <summary>When it was received, local time.</summary>
    public DateTime EventTime { get; } = DateTime.Now;

    /// <summary>The event's number, from 1. Lost events are counted in, so that a gap is a loss.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>How many events were lost, on events of type Lost.</summary>
    public ulong? LostCount { get; internal set; }

    ulong INumberedEvent.Sequence
    {
        set => Sequence = value;
    }

    /// <summary>The event on one line.</summary>
    public override string ToString() =>
        EventType == ConntrackEventType.Lost ? $"{LostCount} events lost" : $"{EventType} {base.ToString()}";
}

/// <summary>Makes an event of a message of the groups NFNLGRP_CONNTRACK_EXP_*.</summary>
internal static class ExpectationEventDecoder
{
    /// <returns>Null for a message that is no event of an expectation.</returns>
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
        ConntrackExpectationEvent happened = new(known);
        ExpectationDecoder.Decode(message, happened);
        return happened;
    }
}
