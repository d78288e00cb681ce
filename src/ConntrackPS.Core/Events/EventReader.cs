using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>Converts the received data of one network namespace into events: decodes and filters them, and if requested adds the current
/// table first and recovers losses. Only one thread may use it, except <see cref="Cancel"/>.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <param name="options">The options of the watch.</param>
/// <param name="requestFence">Requests a fence with a number: <see cref="BacklogNote.Fence"/>.</param>
/// <param name="emit">Receives each batch of events. May block.</param>
internal sealed class EventReader(
    NetworkNamespace? networkNamespace, EventOptions options, Action<int> requestFence, Action<List<ConntrackEvent>> emit)
{
    private const int BatchSize = 512;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    // May match more than is emitted: every entry that might be emitted later is tracked.
    private readonly ConntrackFilter? _heard = HeardFor(options).Filter is { IsEmpty: false } filter ? filter : null;
    private readonly ITableReplay<ConntrackEvent>? _replay = MakeReplay(options);
    private List<ConntrackEvent> _batch = [];
    private int _fenceRequested;
    private long _pauseEnd;
    private volatile EntryReader? _listing;
    private volatile bool _cancelled;

    /// <summary>Processes a datagram.</summary>
    /// <exception cref="NetlinkProtocolException">The datagram is malformed.</exception>
    public void Take(ReadOnlySpan<byte> datagram)
    {
        MessageReader messages = new(datagram);
        while (messages.TryRead(out NetlinkMessage message))
            Take(message);
    }

    /// <summary>Processes a note, in its order among the datagrams.</summary>
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

    /// <summary>Emits waiting events, and does pending work. Called after each item, and regularly in between.</summary>
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

    /// <summary>Emits waiting events.</summary>
    public void Emit()
    {
        if (_batch.Count == 0)
            return;
        List<ConntrackEvent> full = _batch;
        _batch = [];
        emit(full);
    }

    /// <summary>True once for each period in which no complete listing of the table succeeded for too long. The attempts
    /// continue.</summary>
    public bool TakeIncompleteness() => _replay?.TakeIncompleteness() == true;

    /// <summary>Cancels the current and any later listing of the table.</summary>
    public void Cancel()
    {
        _cancelled = true;
        _listing?.Cancel();
    }

    /// <summary>The events that must be received for the requested ones. To track the table, New and Destroy events are needed, whatever is
    /// emitted, and those of all connections that might match later. Otherwise a connection that no longer matches would look like one that
    /// ended.</summary>
    public static EventOptions HeardFor(EventOptions options)
    {
        if (!options.Resync && !options.IncludeExisting)
            return options;
        IEnumerable<ConntrackEventType> needed = options.Resync ? [ConntrackEventType.New, ConntrackEventType.Destroy]
            : options.EventType.Contains(ConntrackEventType.New) ? [ConntrackEventType.Destroy] : [];
        return options with { EventType = [.. options.EventType.Union(needed)], Filter = options.Filter.SteadyPart() };
    }

    /// <summary>A later comparison with the table needs the exact key of each entry. To suppress New events for entries that the table
    /// already showed, 8 bytes per entry are enough.</summary>
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

    /// <summary>An Update contains state and labels only if they changed, and never counters or the start time, so the known values stay.
    /// If it has no mark, helper or security context, the entry has none.</summary>
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
