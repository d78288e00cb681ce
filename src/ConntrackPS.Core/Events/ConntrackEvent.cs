using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>An event of a connection: what happened, when, and the connection as the kernel described it then.</summary>
/// <remarks>Being an entry itself, it can be piped wherever an entry can.</remarks>
public sealed class ConntrackEvent : ConntrackEntry, INumberedEvent
{
    private ulong _nanoseconds;

    internal ConntrackEvent(ConntrackEventType type) => EventType = type;

    /// <summary>What happened.</summary>
    public ConntrackEventType EventType { get; }

    /// <summary>What happened in one word: the state that an update led to, where the protocol has states; else the type of
    /// the event.</summary>
    public string Change => EventType == ConntrackEventType.Update && State is { } state ? state.ToString() : EventType.ToString();

    /// <summary>When, local time: the kernel's time where it gives one (CTA_TIMESTAMP_EVENT, Linux 6.14), else when it
    /// was received. Null for an event read from text that has no time.</summary>
    public DateTime? EventTime => HasTime ? ToLocalTime(_nanoseconds) : null;

    /// <summary>When, in nanoseconds since 1970 in UTC. CSV has times in the culture of who wrote it; this number is the same
    /// everywhere.</summary>
    public ulong? EventTimestamp => HasTime ? _nanoseconds : null;

    /// <summary>The event's number in its stream, from 1. Lost events are counted in, so that a gap is a loss.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>True where the event did not come from the kernel, but follows from comparing tables after a loss.</summary>
    public bool IsDerived { get; internal set; }

    /// <summary>How many events were lost, on events of type Lost; null where a text doesn't say.</summary>
    public ulong? LostCount { get; internal set; }

    /// <summary>The netlink port of the program that asked for the change (nlmsghdr.nlmsg_pid: with many programs the process
    /// id, with this library a random number); null where a packet or the kernel made it.</summary>
    public uint? PortId { get; internal init; }

    /// <summary>Seconds from the connection's start to its end, on Destroy events while nf_conntrack_timestamp is on.</summary>
    public double? Duration =>
        Has(EntryFields.StartTime) && Has(EntryFields.StopTime) && Data.Stop >= Data.Start
            ? Math.Round((Data.Stop - Data.Start) / 1e9, 3)
            : null;

    ulong INumberedEvent.Sequence
    {
        set => Sequence = value;
    }

    /// <summary>The event on one line.</summary>
    public override string ToString() =>
        EventType == ConntrackEventType.Lost ? $"{(LostCount is { } count ? Counted.Events((long)count) : "events")} lost" : $"{EventType} {base.ToString()}";

    /// <summary>True where the kernel told the time.</summary>
    internal bool HasTime => _nanoseconds != 0;

    internal override void SetEventTime(ulong nanoseconds) => _nanoseconds = nanoseconds;

    internal void SetEventTime(DateTime utc) => _nanoseconds = (ulong)(utc - DateTime.UnixEpoch).Ticks * 100;
}

/// <summary>What happened to a connection.</summary>
public enum ConntrackEventType
{
    /// <summary>It began (IPCTNL_MSG_CT_NEW with NLM_F_CREATE).</summary>
    New,

    /// <summary>It changed (IPCTNL_MSG_CT_NEW without).</summary>
    Update,

    /// <summary>It ended (IPCTNL_MSG_CT_DELETE).</summary>
    Destroy,

    /// <summary>It was there when the watch began; nothing happened.</summary>
    Existing,

    /// <summary>No connection's event: events were lost here, and their number is known.</summary>
    Lost,
}

/// <summary>Makes an event of a message of the groups NFNLGRP_CONNTRACK_*.</summary>
internal static class EventDecoder
{
    /// <returns>Null for a message that is no event of a connection.</returns>
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackEvent? Decode(NetlinkMessage message)
    {
        ConntrackEventType? type = (ConntrackMessage)message.Type switch
        {
            ConntrackMessage.New when message.Flags.HasFlag(MessageFlags.Create) => ConntrackEventType.New,
            ConntrackMessage.New => ConntrackEventType.Update,
            ConntrackMessage.Delete => ConntrackEventType.Destroy,
            _ => null,
        };
        if (type is not { } known)
            return null;
        ConntrackEvent result = new(known) { PortId = message.PortId == 0 ? null : message.PortId };
        EntryDecoder.Decode(message, result);
        if (!result.HasTime)
            result.SetEventTime(DateTime.UtcNow);
        return result;
    }
}

/// <summary>What the events of connections and of expectations have in common: their number, and losses among them.</summary>
internal interface INumberedEvent
{
    /// <summary>The event's number in its stream, from 1.</summary>
    ulong Sequence { set; }

    /// <summary>How many events were lost, where this is not an event but the news of a loss.</summary>
    ulong? LostCount { get; }
}

/// <summary>Gives events their numbers. Lost events have numbers too, so that a gap is a loss.</summary>
internal sealed class EventNumbers
{
    private ulong _last;

    /// <summary>Numbers the next events of a stream.</summary>
    public void Assign(IEnumerable<INumberedEvent> events)
    {
        foreach (INumberedEvent happened in events)
        {
            _last += happened.LostCount ?? 1;
            happened.Sequence = _last;
        }
    }
}
