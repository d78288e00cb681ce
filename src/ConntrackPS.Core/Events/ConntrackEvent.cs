using ConntrackPS.Conntrack;

namespace ConntrackPS.Events;

/// <summary>An event of a connection: what happened, when, and the connection as the kernel described it then.</summary>
/// <remarks>Being an entry itself, it can be piped wherever an entry can.</remarks>
public sealed class ConntrackEvent : ConntrackEntry, INumberedEvent
{
    private ulong _nanoseconds;

    internal ConntrackEvent(ConntrackEventType type) => EventType = type;

    /// <summary>What happened.</summary>
    public ConntrackEventType EventType { get; }

    /// <summary>When, local time: the kernel's time where it gives one (CTA_TIMESTAMP_EVENT, Linux 6.14), else when it
    /// was received.</summary>
    public DateTime EventTime => ToLocalTime(_nanoseconds);

    /// <summary>The event's number in its stream, from 1. Lost events are counted in, so that a gap is a loss.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>True where the event did not come from the kernel, but follows from comparing tables after a loss.</summary>
    public bool IsDerived { get; internal set; }

    /// <summary>How many events were lost, on events of type Lost.</summary>
    public ulong? LostCount { get; internal set; }

    /// <summary>The netlink port of the program that asked for the change (nlmsghdr.nlmsg_pid: with many programs the process
    /// id, with this library a random number); null where a packet or the kernel made it.</summary>
    public uint? PortId { get; internal init; }

    /// <summary>Seconds from the connection's start to its end, on Destroy events while nf_conntrack_timestamp is on.</summary>
    public double? Duration =>
        Has(EntryFields.StartTime) && Has(EntryFields.StopTime) && RawStop >= RawStart
            ? Math.Round((RawStop - RawStart) / 1e9, 3)
            : null;

    ulong INumberedEvent.Sequence
    {
        set => Sequence = value;
    }

    /// <summary>The event on one line.</summary>
    public override string ToString() =>
        EventType == ConntrackEventType.Lost ? $"{LostCount} events lost" : $"{EventType} {base.ToString()}";

    /// <summary>True where the kernel told the time.</summary>
    internal bool HasTime => _nanoseconds != 0;

    internal override void SetEventTime(ulong nanoseconds) => _nanoseconds = nanoseconds;

    internal void SetEventTime(DateTime utc) => _nanoseconds = (ulong)(utc - DateTime.UnixEpoch).Ticks * 100;
}
