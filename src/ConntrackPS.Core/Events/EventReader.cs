using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>Makes events of what was received in one network namespace: decodes and matches, with the present table first
/// and the losses made good where that is asked for. For one thread; <see cref="Cancel"/> may come from any.</summary>
/// <param name="networkNamespace">Which one; null for the caller's own.</param>
/// <param name="options">What to watch, and how.</param>
/// <param name="requestFence">Asks for a fence by its number: <see cref="BacklogNote.Fence"/>.</param>
/// <param name="emit">Takes each batch of events; may block.</param>
internal sealed class EventReader(
    NetworkNamespace? networkNamespace, EventOptions options, Action<int> requestFence, Action<List<ConntrackEvent>> emit)
{
    private const int BatchSize = 512;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    // What is heard may be more than what is told: all that may come to be told is followed.
    private readonly ConntrackFilter? _heard = HeardFor(options).Filter is { IsEmpty: false } filter ? filter : null;
    private readonly ITableReplay<ConntrackEvent>? _replay = MakeReplay(options);
    private List<ConntrackEvent> _batch = [];
    private int _fenceRequested;
    private long _pauseEnd;
    private volatile EntryReader? _listing;
    private volatile bool _cancelled;

    /// <summary>Takes a datagram.</summary>
    /// <exception cref="NetlinkProtocolException">It is malformed.</exception>
    public void Take(ReadOnlySpan<byte> datagram)
    {
        MessageReader messages = new(datagram);
        while (messages.TryRead(out NetlinkMessage message))
            Take(message);
    }

    /// <summary>Takes a note, at its place among the datagrams.</summary>
    public void Take(BacklogNote note)
    {
        switch (note)
        {
            case BacklogNote.Lost lost:
                Add(MakeLost(lost.Count));
                _replay?.NoteLoss();
                break;
            case BacklogNote.Fence fence:
                foreach ((ConntrackEventType type, ConntrackEvent entry) in _replay?.NoteFence(fence.Number) ?? [])
                    Derive(type, entry);
                break;
            default:
                break;
        }
    }

    /// <summary>Hands over what is there, and does what is due: after each item, and now and then in between.</summary>
    public void Proceed()
    {
        Emit();
        while (_replay is not null)
        {
            switch (_replay.Phase)
            {
                case ReplayPhase.Listing:
                    ReadTable(_replay);
                    break;
                case ReplayPhase.Pausing when _pauseEnd == 0:
                    _pauseEnd = Environment.TickCount64 + (long)Pause.TotalMilliseconds;
                    return;
                case ReplayPhase.Pausing when Environment.TickCount64 >= _pauseEnd:
                    _pauseEnd = 0;
                    _replay.Resume();
                    break;
                case ReplayPhase.Approaching or ReplayPhase.Settling when _fenceRequested != _replay.Fence:
                    _fenceRequested = _replay.Fence;
                    requestFence(_fenceRequested);
                    return;
                default:
                    return;
            }
        }
    }

    /// <summary>Hands over what is there.</summary>
    public void Emit()
    {
        if (_batch.Count == 0)
            return;
        List<ConntrackEvent> full = _batch;
        _batch = [];
        emit(full);
    }

    /// <summary>True, once each time, where the table could not be read whole for too long. It is tried on.</summary>
    public bool TakeIncompleteness() => _replay?.TakeIncompleteness() == true;

    /// <summary>Ends the reading of the table, now and later.</summary>
    public void Cancel()
    {
        _cancelled = true;
        _listing?.Cancel();
    }

    /// <summary>What must be heard to tell what is asked for. To know what exists, beginnings and ends are needed, whatever is
    /// emitted, and of all connections that may come to match: otherwise one that matches no more would pass for ended.</summary>
    public static EventOptions HeardFor(EventOptions options)
    {
        if (!options.Resync && !options.IncludeExisting)
            return options;
        IEnumerable<ConntrackEventType> needed = options.Resync ? [ConntrackEventType.New, ConntrackEventType.Destroy]
            : options.EventType.Contains(ConntrackEventType.New) ? [ConntrackEventType.Destroy] : [];
        return options with { EventType = [.. options.EventType.Union(needed)], Filter = options.Filter.SteadyPart() };
    }

    /// <summary>What is compared with the table later is named exactly. To keep New events from following what the table
    /// showed, 8 bytes an entry are enough.</summary>
    private static ITableReplay<ConntrackEvent>? MakeReplay(EventOptions options) => options switch
    {
        { Resync: true } => new TableReplay<EntryKey, ConntrackEvent>(
            EntryKey.Of, heals: true, options.IncludeExisting, () => Environment.TickCount64, WishOf(options.Filter)),
        { IncludeExisting: true } => new TableReplay<ulong, ConntrackEvent>(
            EntryFingerprint.Of, heals: false, tellsTable: true, () => Environment.TickCount64, WishOf(options.Filter)),
        _ => null,
    };

    private static ReplayWish<ConntrackEvent>? WishOf(ConntrackFilter filter)
    {
        if (filter.IsSteady)
            return null;
        ConntrackFilter told = filter.WithoutAmounts();
        return new ReplayWish<ConntrackEvent>(filter.Matches, (before, now) => filter.Matches(now) && !told.Matches(before), Complete);
    }

    /// <summary>An Update has the state and the labels only where they are what changed, and never counters or a start: what was
    /// known of them stands. Mark, helper and security context are absent from it where there are none.</summary>
    private static ConntrackEvent Complete(ConntrackEvent happened, ConntrackEvent known)
    {
        const EntryFields Kept = EntryFields.State | EntryFields.StartTime | EntryFields.OriginalCounters | EntryFields.ReplyCounters;
        EntryFields missing = known.Fields & ~happened.Fields & Kept;
        bool lacksLabels = happened.Details?.Labels is null && known.Details?.Labels is not null;
        if (missing == EntryFields.None && !lacksLabels)
            return happened;
        ConntrackEvent whole = (ConntrackEvent)happened.CloneAs(new ConntrackEvent(happened.EventType));
        whole.Fields |= missing;
        if (missing.HasFlag(EntryFields.State))
            whole.Data.State = known.Data.State;
        if (missing.HasFlag(EntryFields.StartTime))
            whole.Data.Start = known.Data.Start;
        if (missing.HasFlag(EntryFields.OriginalCounters))
            (whole.Data.OriginalPackets, whole.Data.OriginalBytes) = (known.Data.OriginalPackets, known.Data.OriginalBytes);
        if (missing.HasFlag(EntryFields.ReplyCounters))
            (whole.Data.ReplyPackets, whole.Data.ReplyBytes) = (known.Data.ReplyPackets, known.Data.ReplyBytes);
        if (lacksLabels)
            whole.MakeDetails().Labels = known.Details!.Labels;
        return whole;
    }

    private void Take(NetlinkMessage message)
    {
        if (EventDecoder.Decode(message) is not { } happened || _heard?.Matches(happened) == false)
            return;
        happened.Namespace = networkNamespace?.Name;
        if (_replay?.Note(happened.EventType, happened) == false || !options.EventType.Contains(happened.EventType))
            return;
        Add(happened);
    }

    private void ReadTable(ITableReplay<ConntrackEvent> replay)
    {
        using EntryReader reader = new(
            networkNamespace, FilterPlanner.Plan(options.Resync ? HeardFor(options).Filter : options.Filter), create: () => new ConntrackEvent(ConntrackEventType.Existing));
        _listing = reader;
        if (_cancelled)
            throw new OperationCanceledException();
        replay.BeginListing();
        bool isWhole = true;
        try
        {
            while (reader.ReadBatch() is { } entries)
            {
                foreach (ConntrackEvent existing in entries.Cast<ConntrackEvent>())
                {
                    if (!replay.List(existing, existing.Status.HasFlag(ConntrackStatus.Dying)))
                        continue;
                    existing.SetEventTime(DateTime.UtcNow);
                    Add(existing);
                }

                Emit();
            }
        }
        catch (IncompleteListingException)
        {
            isWhole = false;
        }

        replay.EndListing(isWhole);
        _listing = null;
    }

    private void Derive(ConntrackEventType type, ConntrackEvent entry)
    {
        if (!options.EventType.Contains(type))
            return;
        ConntrackEvent derived = (ConntrackEvent)entry.CloneAs(new ConntrackEvent(type));
        derived.SetEventTime(DateTime.UtcNow);
        derived.IsDerived = true;
        Add(derived);
    }

    private ConntrackEvent MakeLost(uint count)
    {
        ConntrackEvent lost = new(ConntrackEventType.Lost) { LostCount = count, Namespace = networkNamespace?.Name };
        lost.SetEventTime(DateTime.UtcNow);
        return lost;
    }

    private void Add(ConntrackEvent happened)
    {
        _batch.Add(happened);
        if (_batch.Count >= BatchSize)
            Emit();
    }
}
