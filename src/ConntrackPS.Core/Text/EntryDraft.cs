using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text;

/// <summary>An entry while it is being read, whatever the form; used again for the next one.</summary>
internal sealed class EntryDraft
{
    private const ConntrackStatus SourceNat = ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone;
    private const ConntrackStatus DestinationNat = ConntrackStatus.DstNat | ConntrackStatus.DstNatDone;

    private readonly TupleDraft[] _tuples = new TupleDraft[2];
    private TupleDirection _direction;
    private string? _omitted;

    public ConntrackEntry Entry { get; private set; } = new();

    public IPProtocol Protocol { get; set; }

    public ConntrackEventType? EventType { get; set; }

    public DateTime? EventTime { get; set; }

    public uint? PortId { get; set; }

    /// <summary>Seconds since the connection began, or from its begin to its end.</summary>
    public ulong? Age { get; set; }

    /// <summary>The direction that what is read belongs to.</summary>
    public ref TupleDraft Current => ref _tuples[(int)_direction];

    public ref TupleDraft Original => ref _tuples[0];

    public ref TupleDraft Reply => ref _tuples[1];

    public TupleDirection Direction => _direction;

    public void Begin()
    {
        Entry = new ConntrackEntry();
        Array.Clear(_tuples);
        (_direction, Protocol, EventType, EventTime, PortId, Age, _omitted) = (TupleDirection.Original, default, null, null, null, null, null);
    }

    public void BeginReply() => _direction = TupleDirection.Reply;

    public void BeginOriginal() => _direction = TupleDirection.Original;

    public void SetStatus(ConntrackStatus bits) => Entry.Status |= bits;

    public void SetTimeout(uint seconds) => (Entry.RawTimeout, Entry.Fields) = (seconds, Entry.Fields | EntryFields.Timeout);

    public void SetState(ConntrackState state) => (Entry.RawState, Entry.Fields) = (state, Entry.Fields | EntryFields.State);

    public void SetUseCount(uint count) => (Entry.RawUse, Entry.Fields) = (count, Entry.Fields | EntryFields.UseCount);

    public void SetId(uint id) => (Entry.RawId, Entry.Fields) = (id, Entry.Fields | EntryFields.Id);

    public void SetSecmark(uint mark) => (Entry.MakeDetails().Secmark, Entry.Fields) = (mark, Entry.Fields | EntryFields.Secmark);

    public void SetStart(ulong nanoseconds) => (Entry.RawStart, Entry.Fields) = (nanoseconds, Entry.Fields | EntryFields.StartTime);

    public void SetStop(ulong nanoseconds) => (Entry.RawStop, Entry.Fields) = (nanoseconds, Entry.Fields | EntryFields.StopTime);

    public void SetOriginalZone(ushort zone) => (Entry.RawOriginalZone, Entry.Fields) = (zone, Entry.Fields | EntryFields.OriginalZone);

    public void SetReplyZone(ushort zone) => (Entry.RawReplyZone, Entry.Fields) = (zone, Entry.Fields | EntryFields.ReplyZone);

    public void SetPackets(ulong count)
    {
        if (_direction == TupleDirection.Original)
            (Entry.RawOriginalPackets, Entry.Fields) = (count, Entry.Fields | EntryFields.OriginalPackets);
        else
            (Entry.RawReplyPackets, Entry.Fields) = (count, Entry.Fields | EntryFields.ReplyPackets);
    }

    public void SetBytes(ulong count)
    {
        if (_direction == TupleDirection.Original)
            (Entry.RawOriginalBytes, Entry.Fields) = (count, Entry.Fields | EntryFields.OriginalBytes);
        else
            (Entry.RawReplyBytes, Entry.Fields) = (count, Entry.Fields | EntryFields.ReplyBytes);
    }

    /// <summary>Sets the labels that have a bit, and notes those that have none.</summary>
    public void AddLabel(string name, LabelNames names)
    {
        if (names.TryGetBit(name, out int bit))
            Entry.MakeDetails().Labels = (Entry.Details!.Labels ?? default).With(bit);
        else
            Omit($"the label '{name}', which connlabel.conf doesn't name");
    }

    public void Omit(string what) => _omitted = _omitted is null ? what : _omitted + ", " + what;

    /// <summary>Makes the entry's tuples and times, once all has been read.</summary>
    /// <returns>What is missing, as a phrase; null for nothing.</returns>
    public string? Complete(TupleParts needed, TextContext context)
    {
        string? missing = Original.NameMissing(TupleParts.Addresses | needed) is { } part
            ? part + " of the original direction"
            : Reply.NameMissing(TupleParts.Addresses | needed) is { } other ? other + " of the reply direction" : null;
        if (missing is not null)
            return missing;
        if (Original.Family == IPFamily.Unspecified || Original.Family != Reply.Family)
            return "four addresses of one family";
        Entry.Original = Original.ToTuple(Protocol);
        Entry.Reply = Reply.ToTuple(Protocol);
        SetStatus(EventType == ConntrackEventType.Destroy ? ConntrackStatus.Confirmed | ConntrackStatus.Dying : ConntrackStatus.Confirmed);
        if (Age is { } age && !Entry.Has(EntryFields.StartTime) && (context.CapturedAt ?? EventTime) is { } now)
        {
            ulong end = ClockText.ToNanoseconds(now);
            if (age < end / 1_000_000_000)
                SetStart(end - age * 1_000_000_000);
            else
                Omit($"an age of {age} seconds, from before 1970");
        }

        return null;
    }

    /// <summary>Says that what differs between the directions is translated: most forms of text don't tell.</summary>
    public void DeriveNat()
    {
        ConntrackTuple original = Entry.Original, reply = Entry.Reply;
        bool isIcmp = original.IsIcmp;
        if (original.Source != reply.Destination || original.SourcePort != (isIcmp ? reply.SourcePort : reply.DestinationPort))
            SetStatus(SourceNat);
        if (original.Destination != reply.Source || (!isIcmp && original.DestinationPort != reply.SourcePort))
            SetStatus(DestinationNat);
    }

    public ConntrackTextRecord ToRecord() => new(Entry)
    {
        EventType = EventType,
        EventTime = EventTime,
        PortId = PortId,
        Omitted = _omitted,
    };
}
