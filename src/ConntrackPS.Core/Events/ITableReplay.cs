namespace ConntrackPS.Events;

/// <summary>A <see cref="TableReplay{TKey, TEntry}"/>, whatever names its entries.</summary>
internal interface ITableReplay<TEntry>
{
    /// <summary>What is needed next.</summary>
    ReplayPhase Phase { get; }

    /// <summary>The number of the fence that is needed in the phases <see cref="ReplayPhase.Approaching"/> and
    /// <see cref="ReplayPhase.Settling"/>: a place behind all that the kernel had queued, or dropped, when it was asked for.</summary>
    int Fence { get; }

    /// <summary>Takes an event of the kernel.</summary>
    /// <returns>False where the consumer knows it already, or does not want to be told.</returns>
    bool Note(ConntrackEventType type, TEntry entry);

    /// <summary>Events were lost, somewhere before this place.</summary>
    void NoteLoss();

    /// <summary>Takes the place that was asked for by a number.</summary>
    /// <returns>What the consumer must be told, as if they were events: ends, then beginnings, then changes.</returns>
    IReadOnlyList<(ConntrackEventType Type, TEntry Entry)> NoteFence(int number);

    /// <summary>The table is read from now on; no event is taken before <see cref="EndListing"/>.</summary>
    void BeginListing();

    /// <summary>Takes an entry of the table.</summary>
    /// <returns>True where the consumer must be told that it is there.</returns>
    bool List(TEntry entry, bool isDying);

    /// <summary>The table was read.</summary>
    /// <param name="isWhole">Whether all that was there all the time was among it.</param>
    void EndListing(bool isWhole);

    /// <summary>The pause is over.</summary>
    void Resume();

    /// <summary>True, once each time, where the table could not be read whole for too long. It is tried on.</summary>
    bool TakeIncompleteness();
}

/// <summary>Where a <see cref="TableReplay{TKey, TEntry}"/> stands, and so what it needs.</summary>
internal enum ReplayPhase
{
    /// <summary>Events are enough.</summary>
    InStep,

    /// <summary>The table is to be read, but not before all that is older has been taken: a fence.</summary>
    Approaching,

    /// <summary>The table is to be read now.</summary>
    Listing,

    /// <summary>The table was read. What happened meanwhile must be taken before the two can be compared: a fence.</summary>
    Settling,

    /// <summary>The table is to be read again after a while.</summary>
    Pausing,
}

/// <summary>Which entries a consumer wants to be told, where that may change while an entry lives.</summary>
/// <typeparam name="TEntry">An entry, or an event that describes it.</typeparam>
/// <param name="IsWanted">Whether what happens to an entry is told, as the entry is at that moment.</param>
/// <param name="HasTurned">Whether an entry that was the first has come to be wanted, by a change of which the kernel tells.</param>
/// <param name="Complete">Adds to an event what it leaves out of an entry that is known: an Update holds little but what changed.</param>
internal sealed record ReplayWish<TEntry>(
    Func<TEntry, bool> IsWanted, Func<TEntry, TEntry, bool> HasTurned, Func<TEntry, TEntry, TEntry> Complete);
