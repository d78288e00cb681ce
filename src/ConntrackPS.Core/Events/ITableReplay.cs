namespace ConntrackPS.Events;

/// <summary>A <see cref="TableReplay{TKey, TEntry}"/> with any type of key.</summary>
internal interface ITableReplay<TEntry>
{
    /// <summary>The next operation that is needed.</summary>
    ReplayPhase Phase { get; }

    /// <summary>The number of the fence that is needed in the phases <see cref="ReplayPhase.Approaching"/> and <see
    /// cref="ReplayPhase.Settling"/>: a position after everything that the kernel had queued or dropped at the time of the
    /// request.</summary>
    int Fence { get; }

    /// <summary>Processes an event from the kernel.</summary>
    /// <returns>False if the consumer already knows it, or does not want it.</returns>
    bool Note(ConntrackEventType type, TEntry entry);

    /// <summary>Reports that events were lost somewhere before this position.</summary>
    void NoteLoss();

    /// <summary>Processes the fence with a number.</summary>
    /// <returns>The derived events for the consumer: first Destroy, then New, then Update.</returns>
    IReadOnlyList<(ConntrackEventType Type, TEntry Entry)> NoteFence(int number);

    /// <summary>Starts a listing of the table. No event may be processed before <see cref="EndListing"/>.</summary>
    void BeginListing();

    /// <summary>Processes an entry of the table.</summary>
    /// <returns>True if the entry must be reported to the consumer.</returns>
    bool List(TEntry entry, bool isDying);

    /// <summary>Ends the listing of the table.</summary>
    /// <param name="isWhole">True if it contained every entry that existed all the time.</param>
    void EndListing(bool isWhole);

    /// <summary>Ends the pause.</summary>
    void Resume();

    /// <summary>True once for each period in which no complete listing of the table succeeded for too long. The attempts
    /// continue.</summary>
    bool TakeIncompleteness();
}

/// <summary>The phases of a <see cref="TableReplay{TKey, TEntry}"/>, and what each needs.</summary>
internal enum ReplayPhase
{
    /// <summary>Only events are needed.</summary>
    InStep,

    /// <summary>The table must be read, but first all older events must be processed: needs a fence.</summary>
    Approaching,

    /// <summary>The table must be read now.</summary>
    Listing,

    /// <summary>The table was read. Events from that time must be processed before the comparison: needs a fence.</summary>
    Settling,

    /// <summary>The table must be read again after a pause.</summary>
    Pausing,
}

/// <summary>Selects the entries that are reported to a consumer, if this may change during the lifetime of an entry.</summary>
/// <typeparam name="TEntry">An entry, or an event that describes it.</typeparam>
/// <param name="IsWanted">True if events of an entry are reported in its current state.</param>
/// <param name="HasTurned">True if a change with an event made the first entry, which was not wanted, into the second, which is.</param>
/// <param name="Complete">Adds the known values that an event omits. An Update contains little more than the changes.</param>
internal sealed record ReplayWish<TEntry>(
    Func<TEntry, bool> IsWanted, Func<TEntry, TEntry, bool> HasTurned, Func<TEntry, TEntry, TEntry> Complete);
