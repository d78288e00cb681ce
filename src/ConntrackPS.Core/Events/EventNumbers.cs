namespace ConntrackPS.Events;

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
