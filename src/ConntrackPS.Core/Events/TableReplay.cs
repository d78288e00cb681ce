namespace ConntrackPS.Events;

/// <summary>Tells from events, and from the table after a loss, what a consumer must hear to know the table: where New and
/// Existing add an entry and Destroy removes it, the consumer's table becomes the kernel's.</summary>
/// <remarks><para>The table is compared only with what is neither older nor newer. Events that the kernel had queued before
/// it was read are taken first; where an entry began or ended while it was read, the events are right and not the table.
/// A loss in that time, or a table that was not read whole, makes it be read again, and nothing follows from it.</para>
/// <para>This is right since the kernel shows an entry before it queues its New event, and queues its Destroy event, the
/// entry marked as dying, before it hides it. Entries whose time is up are the one exception: they are hidden at once, and
/// their Destroy event may come a minute later. By then their end has been told; it is remembered, and not told again.</para>
/// <para>All entries are known that may come to be wanted, since one that is wanted no more has not ended. What is told is
/// decided when it is told, by the entry as it is then; one that came to be wanted by a change that was lost is told as
/// changed.</para>
/// <para>Knows nothing of sockets and threads; a test drives it through every order of things.</para></remarks>
/// <typeparam name="TKey">What names an entry. Of two that follow each other under one key and whose change-over was lost,
/// one can't tell that they are two.</typeparam>
/// <typeparam name="TEntry">An entry, or an event that describes it.</typeparam>
/// <param name="keyOf">What names an entry.</param>
/// <param name="heals">Whether the table is read after losses. Otherwise it is read once, and what it showed is remembered
/// only as long as New events of it may still come.</param>
/// <param name="tellsTable">Whether the first table is told.</param>
/// <param name="clock">Milliseconds that pass.</param>
/// <param name="wish">Which of the entries are told; null for all, always.</param>
internal sealed class TableReplay<TKey, TEntry>(
    Func<TEntry, TKey> keyOf, bool heals, bool tellsTable, Func<long> clock, ReplayWish<TEntry>? wish = null)
    : ITableReplay<TEntry>
    where TKey : notnull
{
    /// <summary>How often a table that was not read whole is read again at once.</summary>
    public const int MaximumRounds = 3;

    /// <summary>For how long a derived end is remembered, in milliseconds. The kernel looks for entries whose time is up
    /// once a minute, and under load less often.</summary>
    public const long EndMemory = 10 * 60_000;

    /// <summary>How many derived ends are remembered beside those of the last comparison: some 30 MB.</summary>
    public const int MaximumEnds = 250_000;

    /// <summary>For how long a New event may come after the entry was in the table, in milliseconds: as long as who made
    /// the entry may wait for a processor in between.</summary>
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

    /// <summary>How the consumer stands to an entry.</summary>
    private enum Standing
    {
        /// <summary>An event told that it began.</summary>
        Begun,

        /// <summary>The table showed it, of which the consumer was told; its New event may still come.</summary>
        Shown,

        /// <summary>The table showed it, or an event told that it began, and the consumer was not told.</summary>
        NotTold,

        /// <summary>It is known from an event about a change alone.</summary>
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
        // Its end is queued, or about to be: it counts as gone.
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

    /// <summary>Whether the consumer knows that it began.</summary>
    private static bool IsTold(Known known) => known.Standing is Standing.Begun or Standing.Shown;

    /// <summary>What is not compared later need not be kept.</summary>
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
        // What is told by its own event need not be derived.
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

            // It began since the table was read, and its New event was lost, which makes the table be read again.
            if (Phase == ReplayPhase.Settling && !isListed)
                _begunOrEnded.Add(key);
        }
    }

    private List<(ConntrackEventType Type, TEntry Entry)> Settle()
    {
        List<(ConntrackEventType Type, TEntry Entry)> derived = [];
        if (_isSpoiled)
        {
            // All that is older than this fence has been taken: the table can be read at once.
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
            // An event may have told since that it turned back.
            if (_known.TryGetValue(key, out Known known) && IsWanted(known.Entry!))
                derived.Add((ConntrackEventType.Update, known.Entry!));
        }

        _turned.Clear();
        ForgetEnds();
    }

    /// <summary>Most of them are of connections whose own end was lost, and which never tell it.</summary>
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

    /// <summary>The New event of what the table showed may come yet; all else has had its own.</summary>
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
