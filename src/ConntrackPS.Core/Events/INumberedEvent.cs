namespace ConntrackPS.Events;

/// <summary>What the events of connections and of expectations have in common: their number, and losses among them.</summary>
internal interface INumberedEvent
{
    /// <summary>The event's number in its stream, from 1.</summary>
    ulong Sequence { set; }

    /// <summary>How many events were lost, where this is not an event but the news of a loss.</summary>
    ulong? LostCount { get; }
}
