namespace ConntrackPS.Events;

/// <summary>Computes the events that a consumer needs to track the table, from the kernel's events and, after a loss, from the table. If
/// the consumer adds an entry for New and Existing, and removes it for Destroy, its table equals the kernel's.</summary>
/// <remarks>
/// <para>A listing is compared only with events of the same time. Events that the kernel had queued before the listing are processed first.
/// If an entry started or ended during the listing, the events are right and the listing is ignored for it. After a loss during the
/// listing, or an incomplete listing, the table is read again, and the listing is not used.</para>
/// <para>This is correct because the kernel makes an entry visible before it queues its New event, and queues its Destroy event, with the
/// entry marked as dying, before it hides the entry. Expired entries are the only exception: they are hidden immediately, and their Destroy
/// event may come a minute later. By then their end was already reported. It is remembered, and not reported again.</para>
/// <para>All entries that might be wanted later are tracked, because an entry that is no longer wanted has not ended. Whether an entry is
/// reported depends on its state at the time of the report. If an entry became wanted by a change whose event was lost, it is reported as
/// an Update.</para>
/// <para>It uses no sockets and threads, so that a test can run it through every order of events.</para>
/// </remarks>
/// <typeparam name="TKey">The key of an entry. If two entries with the same key follow each other, and the events in between are lost, they
/// look like one.</typeparam>
/// <typeparam name="TEntry">An entry, or an event that describes it.</typeparam>
/// <param name="keyOf">Returns the key of an entry.</param>
/// <param name="heals">True to read the table after losses. Otherwise it is read once, and its entries are remembered only while New events
/// for them may still come.</param>
/// <param name="tellsTable">True to report the first table.</param>
/// <param name="clock">A monotonic clock in milliseconds.</param>
/// <param name="wish">Selects the entries to report. Null for all entries at all times.</param>
internal sealed class TableReplay<TKey, TEntry>(
    Func<TEntry, TKey> keyOf, bool heals, bool tellsTable, Func<long> clock, ReplayWish<TEntry>? wish = null)
    : ITableReplay<TEntry>
    where TKey : notnull
{
    /// <summary>The number of immediate attempts to read the table again after an incomplete listing.</summary>
    public const int MaximumRounds = 3;

    /// <summary>The time for which a derived end is remembered, in milliseconds. The kernel checks for expired entries once a minute, and
    /// less often under load.</summary>
    public const long EndMemory = 10 * 60_000;

    /// <summary>The maximum number of remembered derived ends, in addition to those of the last comparison: about 30 MB.</summary>
    public const int MaximumEnds = 250_000;

    /// <summary>The time after the listing within which a New event of a listed entry may come, in milliseconds. The thread that created
    /// the entry may have to wait for a processor in between.</summary>
    public const long BeginMemory = 60_000;

    private readonly Dictionary<TKey, Known> _known = [];
    private readonly Dictionary<TKey, TEntry> _listedOnly = [];
    private readonly HashSet<TKey> _begunOrEnded = [];
    private readonly Dictionary<TKey, (long When, bool IsTold)> _derivedEnds = [];
    private readonly HashSet<TKey> _turned = [];
    private bool _isFirst = true;
    private bool _isWhole;
    private bool _isSpoiled;
    private bool _tellIncompleteness;
    private int _incompleteRounds;
    private int _round;
    private long _settled;

    /// <summary>The events of an entry that the consumer has received.</summary>
    private enum Standing
    {
        /// <summary>A New event was reported.</summary>
        Begun,

        /// <summary>The table showed it, and this was reported. Its New event may still come.</summary>
        Shown,

        /// <summary>The table or a New event showed it, and nothing was reported.</summary>
        NotTold,

        /// <summary>Only an Update event is known.</summary>
        Changed,
    }

    /// <inheritdoc/>
    public ReplayPhase Phase { get; private set; } = ReplayPhase.Approaching;

    /// <inheritdoc/>
    public int Fence { get; private set; } = 1;

    /// <inheritdoc/>
    public bool Note(ConntrackEventType type, TEntry entry)
    {
        TKey key = keyOf(entry);
        if (!heals && Phase == ReplayPhase.InStep)
            return NoteAfterTable(type, key) && IsWanted(entry);
        if (type == ConntrackEventType.Update)
        {
            NoteChange(key, entry);
            return IsWanted(entry);
        }

        _turned.Remove(key);
        if (Phase == ReplayPhase.Settling)
            _begunOrEnded.Add(key);
        if (type == ConntrackEventType.Destroy)
            return (_known.Remove(key) || !(_derivedEnds.Remove(key, out (long When, bool IsTold) end) && end.IsTold)) && IsWanted(entry);
        _derivedEnds.Remove(key);
        bool isTold = _known.TryGetValue(key, out Known known) && IsTold(known);
        bool tells = !isTold && IsWanted(entry);
        _known[key] = new Known(Keep(entry), isTold || tells ? Standing.Begun : Standing.NotTold, known.Round);
        return tells;
    }

    /// <inheritdoc/>
    public void NoteLoss()
    {
        if (!heals)
            return;
        if (Phase == ReplayPhase.Settling)
            _isSpoiled = true;
        else if (Phase == ReplayPhase.InStep)
            Approach();
    }

    /// <inheritdoc/>
    public IReadOnlyList<(ConntrackEventType Type, TEntry Entry)> NoteFence(int number)
    {
        if (number == Fence && Phase == ReplayPhase.Approaching)
            Phase = ReplayPhase.Listing;
        else if (number == Fence && Phase == ReplayPhase.Settling)
            return Settle();
        return [];
    }

    /// <inheritdoc/>
    public void BeginListing()
    {
        _round++;
        _isSpoiled = false;
    }

    /// <inheritdoc/>
    public bool List(TEntry entry, bool isDying)
    {
        // Its Destroy event is queued, or will be soon, so the entry counts as gone.
        if (isDying)
            return false;
        TKey key = keyOf(entry);
        bool isKnown = _known.TryGetValue(key, out Known known);
        bool hasTurned = isKnown && heals && wish?.HasTurned(known.Entry!, entry) == true;
        if (_isFirst)
        {
            bool isTold = isKnown && IsTold(known);
            bool tells = tellsTable && !isTold && IsWanted(entry);
            if (hasTurned && !tells)
                _turned.Add(key);
            _known[key] = new Known(Keep(entry), isTold ? known.Standing : tells ? Standing.Shown : Standing.NotTold, _round);
            return tells;
        }

        if (isKnown && known.Standing != Standing.Changed)
        {
            if (hasTurned)
                _turned.Add(key);
            _known[key] = new Known(Keep(entry), known.Standing, _round);
            return false;
        }

        if (isKnown)
            _known[key] = known with { Round = _round };
        _listedOnly.TryAdd(key, entry);
        return false;
    }

    /// <inheritdoc/>
    public void EndListing(bool isWhole)
    {
        _isWhole = isWhole;
        Phase = ReplayPhase.Settling;
        Fence++;
    }

    /// <inheritdoc/>
    public void Resume() => Approach();

    /// <inheritdoc/>
    public bool TakeIncompleteness()
    {
        bool taken = _tellIncompleteness;
        _tellIncompleteness = false;
        return taken;
    }

    private void Approach()
    {
        Phase = ReplayPhase.Approaching;
        Fence++;
    }

    private bool IsWanted(TEntry entry) => wish?.IsWanted(entry) != false;

    /// <summary>True if the consumer knows that it started.</summary>
    private static bool IsTold(Known known) => known.Standing is Standing.Begun or Standing.Shown;

    /// <summary>Entries that are not compared later need not be kept.</summary>
    private TEntry? Keep(TEntry entry) => heals ? entry : default;

    private bool NoteAfterTable(ConntrackEventType type, TKey key)
    {
        if (_known.Count > 0 && clock() - _settled > BeginMemory)
        {
            _known.Clear();
            _known.TrimExcess();
        }

        return type == ConntrackEventType.Update || !_known.Remove(key) || type == ConntrackEventType.Destroy;
    }

    private void NoteChange(TKey key, TEntry entry)
    {
        // A change that has its own event need not be derived.
        if (IsWanted(entry))
            _turned.Remove(key);
        if (wish is not null && _listedOnly.TryGetValue(key, out TEntry? listed))
            _listedOnly[key] = wish.Complete(entry, listed);
        if (_known.TryGetValue(key, out Known known))
            _known[key] = known with { Entry = Keep(wish is null || known.Entry is null ? entry : wish.Complete(entry, known.Entry)) };
        else if (heals && !_derivedEnds.ContainsKey(key))
        {
            bool isListed = _listedOnly.ContainsKey(key);
            _known[key] = new Known(entry, Standing.Changed, isListed ? _round : 0);

            // It started after the listing and its New event was lost. Then the table is read again anyway.
            if (Phase == ReplayPhase.Settling && !isListed)
                _begunOrEnded.Add(key);
        }
    }

    private List<(ConntrackEventType Type, TEntry Entry)> Settle()
    {
        List<(ConntrackEventType Type, TEntry Entry)> derived = [];
        if (_isSpoiled)
        {
            // All events before this fence have been processed, so the table can be read immediately.
            _isFirst = false;
            Phase = ReplayPhase.Listing;
        }
        else if (!_isWhole)
        {
            _tellIncompleteness |= ++_incompleteRounds == MaximumRounds;
            if (_incompleteRounds < MaximumRounds)
                Phase = ReplayPhase.Listing;
            else
                Phase = ReplayPhase.Pausing;
        }
        else
        {
            _incompleteRounds = 0;
            _isFirst = false;
            _settled = clock();
            Phase = ReplayPhase.InStep;
            if (heals)
                Compare(derived);
            else
                KeepShown();
        }

        _listedOnly.Clear();
        _begunOrEnded.Clear();
        return derived;
    }

    private void Compare(List<(ConntrackEventType Type, TEntry Entry)> derived)
    {
        foreach ((TKey key, Known known) in _known)
        {
            if (known.Round == _round || _begunOrEnded.Contains(key))
                continue;
            bool tells = IsWanted(known.Entry!);
            if (tells)
                derived.Add((ConntrackEventType.Destroy, known.Entry!));
            _known.Remove(key);
            _derivedEnds[key] = (_settled, tells);
        }

        foreach ((TKey key, TEntry entry) in _listedOnly)
        {
            if (_begunOrEnded.Contains(key))
                continue;
            bool tells = IsWanted(entry);
            if (tells)
                derived.Add((ConntrackEventType.New, entry));
            _known[key] = new Known(entry, tells ? Standing.Shown : Standing.NotTold, _round);
            _derivedEnds.Remove(key);
        }

        foreach (TKey key in _turned)
        {
            // A later event may have reversed the change.
            if (_known.TryGetValue(key, out Known known) && IsWanted(known.Entry!))
                derived.Add((ConntrackEventType.Update, known.Entry!));
        }

        _turned.Clear();
        ForgetEnds();
    }

    /// <summary>Most of them belong to connections whose own Destroy event was lost and will never come.</summary>
    private void ForgetEnds()
    {
        long first = _settled - EndMemory;
        int count = 0;
        foreach (IGrouping<long, long> comparison in _derivedEnds.Values.GroupBy(end => end.When, end => end.When).OrderByDescending(group => group.Key))
        {
            count += comparison.Count();
            if (count > MaximumEnds && comparison.Key < _settled)
                first = Math.Max(first, comparison.Key + 1);
        }

        foreach ((TKey key, (long when, _)) in _derivedEnds)
        {
            if (when < first)
                _derivedEnds.Remove(key);
        }
    }

    /// <summary>The New event of a listed entry may still come. All others already had theirs.</summary>
    private void KeepShown()
    {
        foreach ((TKey key, Known known) in _known)
        {
            if (known.Standing != Standing.Shown)
                _known.Remove(key);
        }
    }

    private readonly record struct Known(TEntry? Entry, Standing Standing, int Round);
}
