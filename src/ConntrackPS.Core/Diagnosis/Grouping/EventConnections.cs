using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Makes connections of events, so that each is counted once: as its last event describes it, which has the final counters.</summary>
/// <remarks>It keeps in memory the connections that have not ended. Events need not be complete: a connection of which only a later event
/// is known counts too.</remarks>
/// <param name="count">Takes a connection.</param>
internal sealed class EventConnections(Action<ConntrackEntry> count)
{
    private readonly Dictionary<Key, ConntrackEvent> _open = [];

    /// <summary>True if no event has come.</summary>
    public bool IsEmpty { get; private set; } = true;

    /// <summary>Takes the next event.</summary>
    public void Add(ConntrackEvent happened)
    {
        IsEmpty = false;
        Key key = new(happened.Original, happened.Zone, happened.OriginalZone, happened.ReplyZone, happened.Namespace);
        if (_open.Remove(key, out ConntrackEvent? before))
        {
            if (IsAnother(before, happened))
                count(before);
            else
                happened = WithStateOf(happened, before);
        }

        if (happened.EventType == ConntrackEventType.Destroy)
            count(happened);
        else
            _open.Add(key, happened);
    }

    /// <summary>Counts the connections that have not ended.</summary>
    public void Complete()
    {
        foreach (ConntrackEvent last in _open.Values)
            count(last);
        _open.Clear();
    }

    /// <summary>True if the earlier connection ended without an event that was seen, and another one took its addresses.</summary>
    private static bool IsAnother(ConntrackEvent before, ConntrackEvent now) => before.Id is { } id && now.Id is { } other
        ? id != other
        : now.EventType == ConntrackEventType.New && (before.EventType != ConntrackEventType.New || before.EventTime != now.EventTime);

    /// <summary>The event with the state that the connection had before: events of its end leave it out.</summary>
    private static ConntrackEvent WithStateOf(ConntrackEvent last, ConntrackEvent before)
    {
        if (last.Has(EntryFields.State) || !before.Has(EntryFields.State))
            return last;
        ConntrackEvent copy = new(last.EventType);
        last.CloneAs(copy);
        (copy.Data.State, copy.Fields) = (before.Data.State, copy.Fields | EntryFields.State);
        return copy;
    }

    private readonly record struct Key(ConntrackTuple Tuple, ushort Zone, ushort? OriginalZone, ushort? ReplyZone, string? Namespace);
}
