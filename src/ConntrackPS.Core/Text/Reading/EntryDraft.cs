using System.Numerics;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

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

    public void SetTimeout(uint seconds) => (Entry.Data.Timeout, Entry.Fields) = (seconds, Entry.Fields | EntryFields.Timeout);

    public void SetState(ConntrackState state) => (Entry.Data.State, Entry.Fields) = (state, Entry.Fields | EntryFields.State);

    public void SetUseCount(uint count) => (Entry.Data.Use, Entry.Fields) = (count, Entry.Fields | EntryFields.UseCount);

    public void SetId(uint id) => (Entry.Data.Id, Entry.Fields) = (id, Entry.Fields | EntryFields.Id);

    public void SetSecmark(uint mark) => (Entry.MakeDetails().Secmark, Entry.Fields) = (mark, Entry.Fields | EntryFields.Secmark);

    public void SetStart(ulong nanoseconds) => (Entry.Data.Start, Entry.Fields) = (nanoseconds, Entry.Fields | EntryFields.StartTime);

    public void SetStop(ulong nanoseconds) => (Entry.Data.Stop, Entry.Fields) = (nanoseconds, Entry.Fields | EntryFields.StopTime);

    public void SetOriginalZone(ushort zone) => (Entry.Data.OriginalZone, Entry.Fields) = (zone, Entry.Fields | EntryFields.OriginalZone);

    public void SetReplyZone(ushort zone) => (Entry.Data.ReplyZone, Entry.Fields) = (zone, Entry.Fields | EntryFields.ReplyZone);

    public void SetPackets(ulong count)
    {
        if (_direction == TupleDirection.Original)
            (Entry.Data.OriginalPackets, Entry.Fields) = (count, Entry.Fields | EntryFields.OriginalPackets);
        else
            (Entry.Data.ReplyPackets, Entry.Fields) = (count, Entry.Fields | EntryFields.ReplyPackets);
    }

    public void SetBytes(ulong count)
    {
        if (_direction == TupleDirection.Original)
            (Entry.Data.OriginalBytes, Entry.Fields) = (count, Entry.Fields | EntryFields.OriginalBytes);
        else
            (Entry.Data.ReplyBytes, Entry.Fields) = (count, Entry.Fields | EntryFields.ReplyBytes);
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
        if (Translation.SourceDiffers(Entry))
            SetStatus(SourceNat);
        if (Translation.DestinationDiffers(Entry))
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

/// <summary>One direction while it is being read: its parts come one by one, each once.</summary>
internal struct TupleDraft
{
    private const TupleParts SourceSide = TupleParts.SourcePort | TupleParts.SourceKey | TupleParts.IcmpId;
    private const TupleParts DestinationSide =
        TupleParts.DestinationPort | TupleParts.DestinationKey | TupleParts.IcmpType | TupleParts.IcmpCode;

    private IPFamily _sourceFamily;
    private IPFamily _destinationFamily;
    private AddressBits _source;
    private AddressBits _destination;
    private ushort _sourcePort;
    private ushort _destinationPort;

    public TupleParts Parts { get; private set; }

    /// <summary>The family of both addresses; Unspecified where they differ.</summary>
    public readonly IPFamily Family => _sourceFamily == _destinationFamily ? _sourceFamily : IPFamily.Unspecified;

    public readonly bool Has(TupleParts parts) => (Parts & parts) == parts;

    public bool TrySetAddress(TupleParts part, ReadOnlySpan<char> text)
    {
        if (!AddressText.TryParse(text, out IPFamily family, out AddressBits address) || !TryMark(part))
            return false;
        if (part == TupleParts.Source)
            (_sourceFamily, _source) = (family, address);
        else
            (_destinationFamily, _destination) = (family, address);
        return true;
    }

    /// <summary>Sets a port, a key or a field of ICMP.</summary>
    public bool TrySet(TupleParts part, ushort number)
    {
        if (!TryMark(part))
            return false;
        switch (part)
        {
            case TupleParts.SourcePort or TupleParts.SourceKey or TupleParts.IcmpId:
                _sourcePort = number;
                break;
            case TupleParts.IcmpType:
                _destinationPort |= (ushort)(number << 8);
                break;
            default:
                _destinationPort |= number;
                break;
        }

        return true;
    }

    /// <summary>What is missing of these parts, by the words of a line; null for nothing.</summary>
    public readonly string? NameMissing(TupleParts needed)
    {
        TupleParts missing = needed & ~Parts;
        return missing == TupleParts.None ? null : (TupleParts)(1 << BitOperations.TrailingZeroCount((int)missing)) switch
        {
            TupleParts.Source => "src=",
            TupleParts.Destination => "dst=",
            TupleParts.SourcePort => "sport=",
            TupleParts.DestinationPort => "dport=",
            TupleParts.IcmpType => "type=",
            TupleParts.IcmpCode => "code=",
            TupleParts.IcmpId => "id=",
            TupleParts.SourceKey => "srckey=",
            _ => "dstkey=",
        };
    }

    /// <summary>Takes from a tuple what has not been given.</summary>
    /// <param name="tuple">What holds where nothing is given.</param>
    /// <param name="ports">The parts beside the addresses that there are.</param>
    /// <param name="sourcePort">The source port, where it is known better.</param>
    /// <param name="destinationPort">The destination port, where it is known better.</param>
    public void FillFrom(in ConntrackTuple tuple, TupleParts ports, ushort? sourcePort, ushort? destinationPort)
    {
        if (TryMark(TupleParts.Source))
            (_sourceFamily, _source) = (tuple.Family, tuple.Source);
        if (TryMark(TupleParts.Destination))
            (_destinationFamily, _destination) = (tuple.Family, tuple.Destination);
        if ((ports & SourceSide & ~Parts) != 0)
            _sourcePort = sourcePort ?? tuple.SourcePort;
        if ((ports & DestinationSide & ~Parts) != 0)
            _destinationPort = destinationPort ?? tuple.DestinationPort;
        Parts |= ports;
    }

    public readonly ConntrackTuple ToTuple(IPProtocol protocol) => new()
    {
        Family = _sourceFamily,
        Protocol = protocol,
        HasPorts = (Parts & ~TupleParts.Addresses) != 0,
        SourcePort = _sourcePort,
        DestinationPort = _destinationPort,
        Source = _source,
        Destination = _destination,
    };

    private bool TryMark(TupleParts part)
    {
        if ((Parts & part) != 0)
            return false;
        Parts |= part;
        return true;
    }
}
