using ConntrackPS.Events;

namespace ConntrackPS.Tests.Events;

/// <summary>A model of the kernel with a few places for entries and a queue that may lose events; a reader that takes events one by one and
/// reads the table one place at a time; and a consumer that applies the output of a <see cref="TableReplay{TKey, TEntry}"/>.</summary>
/// <remarks>The order is that of nf_conntrack: an entry is visible before its New event is queued. At its end it is marked as dying, then
/// its Destroy event is queued, then it is hidden. An expired entry is hidden first, and the rest follows when the kernel finds
/// it.</remarks>
internal sealed class ReplayWorld
{
    private readonly Func<int, int> _choose;
    private readonly bool _usesIdsAgain;
    private readonly bool _heals;
    private readonly bool _isPicky;
    private readonly Place[] _places;
    private readonly TableReplay<int, Told> _replay;
    private readonly Queue<Item> _queue = [];
    private readonly Dictionary<int, int> _live = [];
    private readonly HashSet<int> _ended = [];
    private readonly Dictionary<int, int> _turnTold = [];
    private readonly Dictionary<int, int> _turnUnwanted = [];
    private readonly List<string> _story = [];
    private int _incarnations;
    private int _fenceAsked;
    private int _fencePosted;
    private int _scanned = -1;
    private bool _dropped;
    private bool _droppedBeforeFence;
    private bool _finishing;

    /// <param name="places">The maximum number of entries at once.</param>
    /// <param name="startsFull">True if each place has an entry when the watch starts.</param>
    /// <param name="isInStep">True if the first table has been read.</param>
    /// <param name="usesIdsAgain">True if an entry has the id of the previous one in its place.</param>
    /// <param name="heals">True if the table is read after losses. Otherwise no event is lost.</param>
    /// <param name="choose">Chooses one of a number of possibilities.</param>
    /// <param name="isPicky">True if the consumer wants entries only at some times of their lifetime.</param>
    public ReplayWorld(int places, bool startsFull, bool isInStep, bool usesIdsAgain, bool heals, Func<int, int> choose, bool isPicky = false)
    {
        (_usesIdsAgain, _heals, _choose, _isPicky) = (usesIdsAgain, heals, choose, isPicky);
        ReplayWish<Told> wish = new(entry => entry.IsWanted, (before, now) => !before.IsWanted && now.IsWanted, (happened, _) => happened);
        _replay = new TableReplay<int, Told>(entry => entry.Id, heals, tellsTable: true, () => 0, isPicky ? wish : null);
        _places = [.. Enumerable.Range(0, places).Select(number => new Place(number))];
        foreach (Place place in startsFull ? _places : [])
        {
            place.Entry = Next(place);
            place.State = EntryState.Alive;
        }

        AskForFence();
        if (!isInStep)
            return;
        _finishing = true;
        CatchUp();
        _finishing = false;
    }

    private enum EntryState
    {
        Absent,
        Visible,
        Alive,
        Dying,
        EndQueued,
        Expired,
    }

    /// <summary>Does one of all possible steps.</summary>
    public void Step()
    {
        List<(string Name, Action Act)> possible = [];
        foreach (Place place in _places)
            possible.AddRange(Possible(place));
        if (_dropped && _fencePosted == _fenceAsked)
            possible.Add(("note the loss", NoteLoss));
        if (_fencePosted != _fenceAsked)
            possible.Add(("note the fence", NoteFence));
        if (_queue.Count > 0 && _replay.Phase != ReplayPhase.Listing)
            possible.Add(("take", Take));
        possible.AddRange(Advances());
        (string name, Action act) = possible[possible.Count == 1 ? 0 : _choose(possible.Count)];
        _story.Add(name);
        act();
    }

    /// <summary>Completes everything that has started, without further losses, and compares the tables.</summary>
    public void Finish()
    {
        _finishing = true;
        foreach (Place place in _places)
        {
            if (place.State == EntryState.Visible)
                QueueNew(place, isDropped: false);
            if (place.State == EntryState.Dying)
                QueueDestroy(place, isDropped: false);
            if (place.State == EntryState.EndQueued)
                Hide(place);
        }

        // An expired entry produces no event until the kernel finds it or the table is read.
        CatchUp();
        Compare(exceptFor: [.. _places.Where(place => place.State == EntryState.Expired).Select(place => place.Entry.Id)]);
        foreach (Place place in _places.Where(place => place.State == EntryState.Expired))
            Find(place, isDropped: false);
        CatchUp();
        Compare(exceptFor: []);
    }

    private void Compare(int[] exceptFor)
    {
        if (!_isPicky)
        {
            Assert.Equal(
                _places.Where(place => place.State == EntryState.Alive).Select(place => place.Entry.Id).Order(),
                _live.Keys.Except(exceptFor).Order());
            return;
        }

        // Each wanted entry was reported to the consumer after it last became wanted.
        foreach (Place place in _places.Where(place => place.State == EntryState.Alive && place.Entry.IsWanted))
        {
            int told = _turnTold.GetValueOrDefault(place.Entry.Incarnation, -1), unwanted = _turnUnwanted.GetValueOrDefault(place.Entry.Incarnation, -1);
            Assert.True(told > unwanted, $"{place.Entry} is wanted, and was told at {told} and unwanted at {unwanted}");
        }
    }

    public override string ToString() => string.Join(", ", _story);

    private IEnumerable<(string Name, Action Act)> Possible(Place place)
    {
        string entry = $"{place.Number}";
        switch (place.State)
        {
            case EntryState.Absent:
                yield return ($"show {entry}", () => (place.Entry, place.State) = (Next(place), EntryState.Visible));
                break;
            case EntryState.Visible:
                yield return ($"tell New {entry}", () => QueueNew(place, isDropped: false));
                if (_heals)
                    yield return ($"lose New {entry}", () => QueueNew(place, isDropped: true));
                break;
            case EntryState.Alive:
                if (_isPicky ? place.Entry.Turn < 2 : place.Changed != place.Entry.Incarnation)
                {
                    yield return ($"tell Update {entry}", () => QueueUpdate(place, isDropped: false));
                    if (_isPicky && _heals)
                        yield return ($"lose Update {entry}", () => QueueUpdate(place, isDropped: true));
                }

                yield return ($"mark {entry} as dying", () => place.State = EntryState.Dying);
                yield return ($"let the time of {entry} be up", () => place.State = EntryState.Expired);
                break;
            case EntryState.Dying:
                yield return ($"tell Destroy {entry}", () => QueueDestroy(place, isDropped: false));
                if (_heals)
                    yield return ($"lose Destroy {entry}", () => QueueDestroy(place, isDropped: true));
                break;
            case EntryState.EndQueued:
                yield return ($"hide {entry}", () => Hide(place));
                break;
            default:
                yield return ($"find {entry}", () => Find(place, isDropped: false));
                if (_heals)
                    yield return ($"find {entry} and lose its Destroy", () => Find(place, isDropped: true));
                break;
        }
    }

    /// <summary>The possible steps of the event reader.</summary>
    private IEnumerable<(string Name, Action Act)> Advances()
    {
        switch (_replay.Phase)
        {
            case ReplayPhase.Listing:
                if (_scanned < _places.Length - 1)
                    yield return ($"list {_scanned + 1}", ScanOne);
                else
                    yield return ("end the list", () => EndList(isWhole: true));
                if (!_finishing)
                    yield return ("break the list off", () => EndList(isWhole: false));
                break;
            case ReplayPhase.Pausing:
                yield return ("resume", () =>
                {
                    _replay.Resume();
                    AskForFence();
                }
                );
                break;
            default:
                break;
        }
    }

    private void CatchUp()
    {
        do
        {
            if (_fencePosted != _fenceAsked)
                NoteFence();
            if (_dropped)
                NoteLoss();
            while (_queue.Count > 0 && _replay.Phase != ReplayPhase.Listing)
                Take();
            if (Advances().Select(advance => advance.Act).FirstOrDefault() is { } act)
                act();
        }
        while (_replay.Phase != ReplayPhase.InStep || _queue.Count > 0);
    }

    private Told Next(Place place)
    {
        _incarnations++;
        return new Told(_usesIdsAgain ? place.Number : _incarnations * 10 + place.Number, _incarnations);
    }

    private void QueueNew(Place place, bool isDropped)
    {
        Queue(ConntrackEventType.New, place, isDropped);
        place.State = EntryState.Alive;
    }

    private void QueueUpdate(Place place, bool isDropped)
    {
        if (_isPicky)
            place.Entry = place.Entry with { Turn = place.Entry.Turn + 1 };
        Queue(ConntrackEventType.Update, place, isDropped);
        place.Changed = place.Entry.Incarnation;
    }

    private void QueueDestroy(Place place, bool isDropped)
    {
        Queue(ConntrackEventType.Destroy, place, isDropped);
        place.State = EntryState.EndQueued;
    }

    private static void Hide(Place place) => place.State = EntryState.Absent;

    private void Find(Place place, bool isDropped)
    {
        QueueDestroy(place, isDropped);
        Hide(place);
    }

    private void Queue(ConntrackEventType type, Place place, bool isDropped)
    {
        if (isDropped)
            _dropped = true;
        else
            _queue.Enqueue(new Item(type, place.Entry));
    }

    /// <summary>After everything that was queued before the loss. Later events may also be before it.</summary>
    private void NoteLoss()
    {
        _dropped = false;
        _queue.Enqueue(new Item(ConntrackEventType.Lost));
    }

    /// <summary>Later losses are reported after the fence.</summary>
    private void AskForFence()
    {
        if (_replay.Fence == _fenceAsked)
            return;
        (_fenceAsked, _droppedBeforeFence, _dropped) = (_replay.Fence, _dropped, false);
    }

    /// <summary>After everything that was queued at the time of the request, and possibly after some later events.</summary>
    private void NoteFence()
    {
        if (_droppedBeforeFence)
            _queue.Enqueue(new Item(ConntrackEventType.Lost));
        _droppedBeforeFence = false;
        _fencePosted = _fenceAsked;
        _queue.Enqueue(new Item(ConntrackEventType.Existing, Fence: _fenceAsked));
    }

    private void Take()
    {
        Item item = _queue.Dequeue();
        if (item.Fence > 0)
        {
            foreach ((ConntrackEventType type, Told entry) in _replay.NoteFence(item.Fence))
                Consume(type, entry);
        }
        else if (item.Type == ConntrackEventType.Lost)
        {
            _replay.NoteLoss();
        }
        else
        {
            SeeUnwanted(item.Entry);
            if (_replay.Note(item.Type, item.Entry))
                Consume(item.Type, item.Entry);
        }

        AskForFence();
    }

    private void ScanOne()
    {
        if (_scanned < 0)
            _replay.BeginListing();
        Place place = _places[++_scanned];
        bool isDying = place.State is EntryState.Dying or EntryState.EndQueued;
        if ((isDying || place.State is EntryState.Visible or EntryState.Alive) && _replay.List(place.Entry, isDying))
            Consume(ConntrackEventType.Existing, place.Entry);
    }

    private void EndList(bool isWhole)
    {
        if (_scanned < 0)
            _replay.BeginListing();
        _scanned = -1;
        _replay.EndListing(isWhole);
        AskForFence();
    }

    private void Consume(ConntrackEventType type, Told entry)
    {
        _story.Add($"({type} {entry.Id})");

        // If ids are reused, the end of an entry may be described by its successor.
        if (type == ConntrackEventType.Destroy && !_usesIdsAgain)
            Assert.DoesNotContain(_places, place => place.Entry.Incarnation == entry.Incarnation && place.State is EntryState.Visible or EntryState.Alive);
        if (_isPicky)
            ConsumePicky(type, entry);
        else if (type is ConntrackEventType.New or ConntrackEventType.Existing)
            Assert.True(_live.TryAdd(entry.Id, entry.Incarnation), $"{type} of {entry.Id}, which is live");
        else if (type == ConntrackEventType.Destroy)
        {
            _live.Remove(entry.Id);
            Assert.True(_ended.Add(entry.Incarnation), $"the end of {entry.Id} is told twice");
        }
    }

    /// <summary>No unwanted entry is reported, and no start or end is reported twice.</summary>
    private void ConsumePicky(ConntrackEventType type, Told entry)
    {
        Assert.True(entry.IsWanted, $"{type} of {entry}, which is not wanted");
        _turnTold[entry.Incarnation] = Math.Max(entry.Turn, _turnTold.GetValueOrDefault(entry.Incarnation));
        if (type is ConntrackEventType.New or ConntrackEventType.Existing)
            Assert.True(_live.TryAdd(entry.Incarnation, entry.Id), $"{type} of {entry}, which was told to begin");
        if (type == ConntrackEventType.Destroy)
            Assert.True(_ended.Add(entry.Incarnation), $"the end of {entry} is told twice");
    }

    private void SeeUnwanted(Told entry)
    {
        if (_isPicky && !entry.IsWanted)
            _turnUnwanted[entry.Incarnation] = Math.Max(entry.Turn, _turnUnwanted.GetValueOrDefault(entry.Incarnation, -1));
    }

    /// <param name="Id">The id of the entry.</param>
    /// <param name="Incarnation">The number of the entry in its place.</param>
    /// <param name="Turn">The number of changes. With every second change a picky consumer starts to want the entry.</param>
    private readonly record struct Told(int Id, int Incarnation, int Turn = 0)
    {
        public bool IsWanted => (Incarnation + Turn) % 2 == 0;
    }

    /// <summary>An event, or a note about a loss or a fence.</summary>
    private readonly record struct Item(ConntrackEventType Type, Told Entry = default, int Fence = 0);

    private sealed class Place(int number)
    {
        public int Number => number;

        public EntryState State { get; set; }

        /// <summary>The incarnation that has changed. One change is enough.</summary>
        public int Changed { get; set; }

        public Told Entry { get; set; }
    }
}
