using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>An event of a connection: its type, its time, and the connection as the kernel described it at that time.</summary>
/// <remarks>It is an entry too, so that it works in any pipeline that takes one.</remarks>
public sealed class ConntrackEvent : ConntrackEntry, INumberedEvent
{
    private ulong _nanoseconds;

    internal ConntrackEvent(ConntrackEventType type) => EventType = type;

    /// <summary>The event type.</summary>
    public ConntrackEventType EventType { get; internal set; }

    /// <summary>The new state of an update, for protocols with states. Otherwise the event type.</summary>
    public string Change => EventType == ConntrackEventType.Update && State is { } state ? state.ToString() : EventType.ToString();

    /// <summary>When, local time: the kernel's time where it gives one (CTA_TIMESTAMP_EVENT, Linux 6.14), else when it
    /// was received. Null for an event read from text that has no time.</summary>
    public DateTime? EventTime => HasTime ? ToLocalTime(_nanoseconds) : null;

    /// <summary>When, in nanoseconds since 1970 in UTC. CSV has times in the culture of who wrote it; this number is the same
    /// everywhere.</summary>
    public ulong? EventTimestamp => HasTime ? _nanoseconds : null;

    /// <summary>The event's number in its stream, from 1. Lost events have numbers too, so a gap is a loss.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>True if the event did not come from the kernel, but from a comparison of tables after a loss.</summary>
    public bool IsDerived { get; internal set; }

    /// <summary>The number of lost events, on events of type Lost; null if a text lacks it.</summary>
    public ulong? LostCount { get; internal set; }

    /// <summary>The netlink port of the program that requested the change (nlmsghdr.nlmsg_pid). Many programs use their process id; this
    /// library uses a random number. Null if a packet or the kernel caused the event.</summary>
    public uint? PortId { get; internal set; }

    /// <summary>Seconds from the start of the connection to its end, for Destroy events while nf_conntrack_timestamp is on.</summary>
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

    /// <summary>True if the kernel sent the time.</summary>
    internal bool HasTime => _nanoseconds != 0;

    internal override void SetEventTime(ulong nanoseconds) => _nanoseconds = nanoseconds;

    internal void SetEventTime(DateTime utc) => _nanoseconds = (ulong)(utc - DateTime.UnixEpoch).Ticks * 100;
}

/// <summary>The type of an event.</summary>
public enum ConntrackEventType
{
    /// <summary>The connection started (IPCTNL_MSG_CT_NEW with NLM_F_CREATE).</summary>
    New,

    /// <summary>The connection changed (IPCTNL_MSG_CT_NEW without NLM_F_CREATE).</summary>
    Update,

    /// <summary>The connection ended (IPCTNL_MSG_CT_DELETE).</summary>
    Destroy,

    /// <summary>Not an event: the connection already existed when the watch started.</summary>
    Existing,

    /// <summary>Not an event of a connection: events were lost at this point, and their number is known.</summary>
    Lost,
}

/// <summary>Decodes an event from a message of the groups NFNLGRP_CONNTRACK_*.</summary>
internal static class EventDecoder
{
    /// <returns>Null for a message that is not an event of a connection.</returns>
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

/// <summary>The common part of the events of connections and expectations: numbers and losses.</summary>
internal interface INumberedEvent
{
    /// <summary>The event's number in its stream, from 1.</summary>
    ulong Sequence { set; }

    /// <summary>The number of lost events, if this is a report of a loss and not an event.</summary>
    ulong? LostCount { get; }
}

/// <summary>Numbers events. Lost events have numbers too, so a gap is a loss.</summary>
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
