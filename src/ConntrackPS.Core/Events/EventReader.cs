using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>Reads the events of one network namespace, with the present table first and the losses made good where that
/// is asked for. Runs on a thread of its own; <see cref="Cancel"/> may come from any.</summary>
internal sealed class EventReader : IDisposable
{
    private const int BatchSize = 512;
    private static readonly TimeSpan IdleWait = TimeSpan.FromMilliseconds(500);

    private readonly NetworkNamespace? _networkNamespace;
    private readonly EventOptions _options;
    private readonly ConntrackFilter? _filter;
    private readonly EventSubscription _subscription;
    private readonly KnownEntries? _known;
    private readonly MessageHandler _onMessage;
    private List<ConntrackEvent> _batch = [];
    private long _checked = Environment.TickCount64;

    public EventReader(NetworkNamespace? networkNamespace, EventOptions options)
    {
        _networkNamespace = networkNamespace;
        _options = options;
        _filter = options.Filter.IsEmpty ? null : options.Filter;
        _known = options.Resync ? new KnownEntries() : null;
        _onMessage = Take;
        Identity = NetworkNamespace.ReadIdentity(networkNamespace);
        _subscription = new EventSubscription(networkNamespace, WithResyncTypes(options));
    }

    /// <summary>The kernel's own name of the namespace.</summary>
    public string Identity { get; }

    /// <summary>What the kernel granted as receive buffer, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _subscription.ReceiveBufferSize;

    /// <summary>Reads until it is cancelled.</summary>
    /// <param name="emit">Takes each batch of events; may block, while the kernel's buffer fills.</param>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    /// <exception cref="NetworkNamespaceException">ESTALE: the namespace was deleted.</exception>
    public void Run(Action<List<ConntrackEvent>> emit)
    {
        if (_options.IncludeExisting || _options.Resync)
            ReadExisting(emit);
        while (true)
        {
            _subscription.Read(BatchSize, _onMessage);
            uint lost = _subscription.TakeLosses();
            if (lost > 0)
                _batch.Add(MakeLost(lost));
            Emit(emit);
            if (lost > 0 && _known is not null)
                Resync(_known, emit);
            _subscription.Wait(IdleWait);
            CheckNamespace();
        }
    }

    /// <summary>Gives up keeping destroy events, which fill the table while nobody takes them.</summary>
    public void GiveUpReliability() => _subscription.SetReliable(false);

    public void Cancel() => _subscription.Cancel();

    public void Dispose() => _subscription.Dispose();

    /// <summary>The socket keeps a namespace alive that was deleted, and would wait for ever in it.</summary>
    private void CheckNamespace()
    {
        if (_networkNamespace is null || Environment.TickCount64 - _checked < IdleWait.TotalMilliseconds)
            return;
        _checked = Environment.TickCount64;
        if (!_networkNamespace.LeadsTo(Identity))
            throw new NetworkNamespaceException(_networkNamespace.Name, Errno.Stale);
    }

    /// <summary>To know what exists, beginnings and ends are needed, whatever is emitted.</summary>
    private static EventOptions WithResyncTypes(EventOptions options) => options.Resync
        ? options with { EventType = [.. options.EventType.Union([ConntrackEventType.New, ConntrackEventType.Destroy])] }
        : options;

    /// <summary>The socket listens already. What happens meanwhile is taken off it, and comes after the table.</summary>
    private void ReadExisting(Action<List<ConntrackEvent>> emit)
    {
        List<ConntrackEvent> meanwhile = [];
        foreach (List<ConntrackEntry> entries in ReadTable(ConntrackEventType.Existing))
        {
            foreach (ConntrackEvent existing in entries.Cast<ConntrackEvent>())
            {
                existing.SetEventTime(DateTime.UtcNow);
                _known?.Note(existing);
                if (_options.IncludeExisting)
                    _batch.Add(existing);
            }

            Emit(emit);
            (_batch, meanwhile) = (meanwhile, _batch);
            _subscription.Read(BatchSize, _onMessage);
            (_batch, meanwhile) = (meanwhile, _batch);
        }

        _batch = meanwhile;
        Emit(emit);
    }

    private void Resync(KnownEntries known, Action<List<ConntrackEvent>> emit)
    {
        (List<ConntrackEntry> appeared, List<ConntrackEntry> vanished) = known.Compare(ReadTable(ConntrackEventType.New).SelectMany(batch => batch));
        foreach (ConntrackEntry entry in vanished)
            Derive((ConntrackEvent)entry.CloneAs(new ConntrackEvent(ConntrackEventType.Destroy)));
        foreach (ConntrackEntry entry in appeared)
            Derive((ConntrackEvent)entry);
        Emit(emit);
    }

    private void Derive(ConntrackEvent derived)
    {
        derived.SetEventTime(DateTime.UtcNow);
        derived.IsDerived = true;
        if (_options.EventType.Contains(derived.EventType))
            _batch.Add(derived);
    }

    private IEnumerable<List<ConntrackEntry>> ReadTable(ConntrackEventType type)
    {
        FilterPlan plan = FilterPlanner.Plan(_options.Filter);
        using EntryReader reader = new(_networkNamespace, plan, create: () => new ConntrackEvent(type));
        while (reader.ReadBatch() is { } entries)
            yield return entries;
    }

    private void Take(NetlinkMessage message)
    {
        if (EventDecoder.Decode(message) is not { } happened || _filter?.Matches(happened) == false)
            return;
        if (_known?.Note(happened) == false || !_options.EventType.Contains(happened.EventType))
            return;
        happened.Namespace = _networkNamespace?.Name;
        _batch.Add(happened);
    }

    private ConntrackEvent MakeLost(uint count)
    {
        ConntrackEvent lost = new(ConntrackEventType.Lost) { LostCount = count, Namespace = _networkNamespace?.Name };
        lost.SetEventTime(DateTime.UtcNow);
        return lost;
    }

    private void Emit(Action<List<ConntrackEvent>> emit)
    {
        if (_batch.Count == 0)
            return;
        List<ConntrackEvent> full = _batch;
        _batch = [];
        emit(full);
    }
}
