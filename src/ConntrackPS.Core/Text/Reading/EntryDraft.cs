using System.Globalization;
using System.Numerics;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>An entry that is being read, in any form. The object is reused for the next entry.</summary>
/// <remarks>If the text gives two different values for one property, the property is unknown: the second value removes the first.</remarks>
internal sealed class EntryDraft
{
    private const ConntrackStatus SourceNat = ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone;
    private const ConntrackStatus DestinationNat = ConntrackStatus.DstNat | ConntrackStatus.DstNatDone;

    private readonly TupleDraft[] _tuples = new TupleDraft[2];
    private readonly List<string> _unknown = [];
    private TupleDirection _direction;
    private Dictionary<string, string>? _extra;
    private EntryFields _disputed;
    private ulong? _age;
    private bool _hasZone;
    private TupleParts _gluedPorts;
    private int _known;

    public ConntrackEntry Entry { get; private set; } = new();

    public IPProtocol Protocol { get; set; }

    public ConntrackEventType? EventType { get; set; }

    /// <summary>The time that the event's own text has.</summary>
    public DateTime? EventTime { get; set; }

    /// <summary>The time that a log has before the text, which counts if there is no other.</summary>
    public DateTime? LoggedAt { get; set; }

    /// <summary>True for what has no timeout in some programs' text: destroyed entries, those of a flow table, and those of conntrackd.</summary>
    public bool MayLackTimeout => EventType == ConntrackEventType.Destroy || (Entry.Status & ConntrackStatus.Offload) != 0 || IsOfCache
        || _extra?.ContainsKey("expires in") == true;

    /// <summary>True if two numbers were given for the timeout.</summary>
    public bool HasTwoTimeouts => (_disputed & EntryFields.Timeout) != 0;

    public uint? PortId { get; private set; }

    /// <summary>True if the text has words that only events have, such as [USERSPACE].</summary>
    public bool IsEvent { get; set; }

    /// <summary>The number of unknown words before the protocol.</summary>
    public int WordsInFront { get; private set; }

    /// <summary>The number of words and values that could not be read.</summary>
    public int UnknownCount => _unknown.Count;

    /// <summary>The number of values that were read. It serves to compare two readings of one text.</summary>
    public int KnownCount => _known + BitOperations.PopCount((uint)Original.Parts) + BitOperations.PopCount((uint)Reply.Parts) + (Protocol == default ? 0 : 1);

    /// <summary>The direction that the next values belong to.</summary>
    public ref TupleDraft Current => ref _tuples[(int)_direction];

    public ref TupleDraft Original => ref _tuples[0];

    public ref TupleDraft Reply => ref _tuples[1];

    public TupleDirection Direction => _direction;

    /// <summary>Starts the next entry.</summary>
    /// <param name="mayBeEvent">True if the text looks like an event. This only saves a copy.</param>
    public void Begin(bool mayBeEvent = false)
    {
        Entry = mayBeEvent ? new ConntrackEvent(ConntrackEventType.New) : new ConntrackEntry();
        Entry.Mark = null;
        Array.Clear(_tuples);
        _unknown.Clear();
        (_direction, Protocol, EventType, EventTime, LoggedAt, PortId) = (TupleDirection.Original, default, null, null, null, null);
        _gluedPorts = TupleParts.None;
        (_age, _extra, _disputed, _hasZone, IsEvent, WordsInFront, _known) = (null, null, EntryFields.None, false, false, 0, 0);
    }

    /// <summary>Notes that a port came with its hidden address: <c>n.n.n.n:2194</c>.</summary>
    public void NoteGluedPort(TupleParts part) => _gluedPorts |= part;

    /// <summary>True if the port came with its address before, and says the same.</summary>
    public bool IsGluedPort(TupleParts part, ushort number)
    {
        bool isSame = (_gluedPorts & part) != 0 && number == (part == TupleParts.SourcePort ? Current.SourcePort : Current.DestinationPort);
        _gluedPorts &= ~part;
        return isSame;
    }

    public void BeginReply() => (_direction, _gluedPorts) = (TupleDirection.Reply, TupleParts.None);

    public void BeginOriginal() => _direction = TupleDirection.Original;

    public void SetStatus(ConntrackStatus bits)
    {
        Entry.Status |= bits;
        _known++;
    }

    public bool SetTimeout(uint seconds) => Set(EntryFields.Timeout, ref Entry.Data.Timeout, seconds);

    /// <summary>Records that the number read as the timeout may be something else.</summary>
    public void TakeBackTimeout()
    {
        AddExtra(Text(Entry.Data.Timeout), "");
        Entry.Fields &= ~EntryFields.Timeout;
        (Entry.Data.Timeout, _disputed) = (0, _disputed | EntryFields.Timeout);
    }

    /// <summary>Records that the text has an unreadable value for a field. Another value is then not known to be right.</summary>
    public void Dispute(ReadOnlySpan<char> key)
    {
        bool isOriginal = _direction == TupleDirection.Original;
        EntryFields field = key switch
        {
            "packets" => isOriginal ? EntryFields.OriginalPackets : EntryFields.ReplyPackets,
            "bytes" => isOriginal ? EntryFields.OriginalBytes : EntryFields.ReplyBytes,
            "use" => EntryFields.UseCount,
            "id" => EntryFields.Id,
            "mark" => EntryFields.UnknownMark,
            _ => EntryFields.None,
        };
        if ((_disputed & field) != 0 || field == EntryFields.None)
            return;
        _disputed |= field;
        if (field == EntryFields.UnknownMark && Entry.Mark is { } mark)
        {
            AddExtra("mark", Text(mark));
            Entry.Mark = null;
        }
        else if (field != EntryFields.UnknownMark && Entry.Has(field))
        {
            AddExtra(WordOf(field), Text(field switch
            {
                EntryFields.OriginalPackets => Entry.Data.OriginalPackets,
                EntryFields.ReplyPackets => Entry.Data.ReplyPackets,
                EntryFields.OriginalBytes => Entry.Data.OriginalBytes,
                EntryFields.ReplyBytes => Entry.Data.ReplyBytes,
                EntryFields.UseCount => Entry.Data.Use,
                _ => Entry.Data.Id,
            }));
            Entry.Fields &= ~field;
        }
    }

    public bool SetState(ConntrackState state)
    {
        byte number = (byte)Entry.Data.State;
        bool isSet = Set(EntryFields.State, ref number, (byte)state);
        Entry.Data.State = (ConntrackState)number;
        return isSet;
    }

    public bool SetUseCount(uint count) => Set(EntryFields.UseCount, ref Entry.Data.Use, count);

    public bool SetId(uint id) => Set(EntryFields.Id, ref Entry.Data.Id, id);

    public bool SetStart(ulong nanoseconds) => Set(EntryFields.StartTime, ref Entry.Data.Start, nanoseconds);

    public bool SetStop(ulong nanoseconds) => Set(EntryFields.StopTime, ref Entry.Data.Stop, nanoseconds);

    public bool SetOriginalZone(ushort zone) => Set(EntryFields.OriginalZone, ref Entry.Data.OriginalZone, zone);

    public bool SetReplyZone(ushort zone) => Set(EntryFields.ReplyZone, ref Entry.Data.ReplyZone, zone);

    public bool SetZone(ushort zone)
    {
        if (_hasZone && Entry.Zone != zone)
            return false;
        (Entry.Zone, _hasZone) = (zone, true);
        _known++;
        return true;
    }

    public bool SetMark(uint mark)
    {
        if (Entry.Mark is { } other && other != mark)
        {
            Entry.Mark = null;
            _disputed |= EntryFields.UnknownMark;
            AddExtra("mark", Text(other));
        }

        if ((_disputed & EntryFields.UnknownMark) != 0)
            return false;
        Entry.Mark = mark;
        Entry.Fields |= EntryFields.ToldMark;
        _known++;
        return true;
    }

    public bool SetSecmark(uint mark)
    {
        uint secmark = Entry.Details?.Secmark ?? 0;
        bool isSet = Set(EntryFields.Secmark, ref secmark, mark);
        Entry.MakeDetails().Secmark = secmark;
        return isSet;
    }

    public bool SetPackets(ulong count) => _direction == TupleDirection.Original
        ? Set(EntryFields.OriginalPackets, ref Entry.Data.OriginalPackets, count)
        : Set(EntryFields.ReplyPackets, ref Entry.Data.ReplyPackets, count);

    public bool SetBytes(ulong count) => _direction == TupleDirection.Original
        ? Set(EntryFields.OriginalBytes, ref Entry.Data.OriginalBytes, count)
        : Set(EntryFields.ReplyBytes, ref Entry.Data.ReplyBytes, count);

    public bool SetHelper(ReadOnlySpan<char> name)
    {
        if (Entry.Helper is { } other && !name.SequenceEqual(other))
            return false;
        Entry.MakeDetails().Helper = name.ToString();
        _known++;
        return true;
    }

    public bool SetSecurityContext(ReadOnlySpan<char> context)
    {
        if (Entry.SecurityContext is { } other && !context.SequenceEqual(other))
            return false;
        Entry.MakeDetails().SecurityContext = context.ToString();
        _known++;
        return true;
    }

    public bool SetPortId(uint port)
    {
        if (PortId is { } other && other != port)
            return false;
        (PortId, IsEvent) = (port, true);
        _known++;
        return true;
    }

    /// <summary>Sets the seconds since the connection started, or from its start to its end.</summary>
    public bool SetAge(ulong seconds)
    {
        if (_age is { } other && other != seconds)
            return false;
        _age = seconds;
        _known++;
        return true;
    }

    /// <summary>Sets the labels that have a bit, and keeps the names of the others.</summary>
    public void AddLabel(string name, LabelNames names)
    {
        _known++;
        if (names.TryGetBit(name, out int bit))
        {
            Entry.MakeDetails().Labels = (Entry.Details!.Labels ?? default).With(bit);
        }
        else
        {
            _unknown.Add($"the label '{name}', which connlabel.conf doesn't name");
            Keep("labels", name, ',');
        }
    }

    /// <summary>Counts a word that was understood.</summary>
    public void CountKnown() => _known++;

    /// <summary>Counts an unknown word before the protocol.</summary>
    public void CountWordInFront() => WordsInFront++;

    /// <summary>Keeps an unknown word, or a value that can't be read.</summary>
    public void AddExtra(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        string name = key.ToString();
        _unknown.Add(name);
        Keep(name, value.ToString(), ' ');
    }

    /// <summary>Keeps a known word that has no property.</summary>
    public void AddKnownExtra(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        _known++;
        Keep(key.ToString(), value.ToString(), ' ');
    }

    /// <summary>Creates the entry's tuples and times. Call it after everything was read.</summary>
    /// <returns>The missing part, as a phrase; null if nothing is missing.</returns>
    public string? Complete(TupleParts needed, TextContext context)
    {
        needed |= TupleParts.Addresses;
        bool isOneWay = Reply.Parts == TupleParts.None && IsOfCache;
        string? missing = Original.NameMissing(needed) is { } part ? part + " of the original direction"
            : !isOneWay && Reply.NameMissing(needed) is { } other ? other + " of the reply direction" : null;
        if (missing is not null)
            return missing;
        if (PartOfOther(Original.Parts | Reply.Parts) is { } wrong)
            return wrong;
        IPFamily family = Original.FamilyWith(Reply);
        if (family == IPFamily.Unspecified)
            return "four addresses of one family";
        Entry.Original = Original.ToTuple(Protocol, family);
        Entry.Reply = isOneWay ? new ConntrackTuple { Protocol = Protocol } : Reply.ToTuple(Protocol, family);
        SetStatus(EventType == ConntrackEventType.Destroy ? ConntrackStatus.Confirmed | ConntrackStatus.Dying : ConntrackStatus.Confirmed);
        DeriveStart(context);
        return null;
    }

    /// <summary>The fields that a tuple of this protocol can't have. type= shows that the tuple is one of ICMP.</summary>
    private string? PartOfOther(TupleParts parts)
    {
        const TupleParts Icmp = TupleParts.IcmpType | TupleParts.IcmpCode | TupleParts.IcmpId, Keys = TupleParts.SourceKey | TupleParts.DestinationKey;
        bool isIcmp = Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6;
        if ((parts & Icmp) != 0 && !isIcmp)
            return "ICMP, as type, code and id say";
        if ((parts & Keys) != 0 && Protocol != IPProtocol.Gre)
            return "GRE, as its keys say";
        return (parts & TupleParts.Ports) != 0 && isIcmp ? "a protocol that has ports" : null;
    }

    /// <summary>Sets the mark to 0 if a complete line or an event has none, because programs leave out a mark of 0. A line that was cut off
    /// may have had another mark.</summary>
    public void CompleteMark()
    {
        // A mark in the wrong place, or one that can't be read, is not 0.
        if (Entry.Mark is null && _extra?.ContainsKey("mark") != true && (_disputed & EntryFields.UnknownMark) == 0 && (EventType is not null || Entry.Has(EntryFields.UseCount)))
            Entry.Mark = 0;
    }

    /// <summary>Sets the status bits of translation if the directions differ, because most forms of text lack them.</summary>
    public void DeriveNat()
    {
        if (Translation.SourceDiffers(Entry))
            SetStatus(SourceNat);
        if (Translation.DestinationDiffers(Entry))
            SetStatus(DestinationNat);
    }

    /// <summary>True if the text ends within the last number of the reply: the digits are the beginning of the number that an untranslated
    /// reply has.</summary>
    public bool EndsWithinReply()
    {
        ConntrackTuple reply = Entry.Reply;
        if (reply.Family == IPFamily.Unspecified || reply.Gaps != TupleGaps.None || Entry.Original.Gaps != TupleGaps.None)
            return false;
        (string end, string whole) = reply switch
        {
            { HasPorts: false } => (reply.DestinationText!, Entry.Original.SourceText!),
            { IsIcmp: true } => (Text(reply.SourcePort), Text(Entry.Original.SourcePort)),
            _ => (Text(reply.DestinationPort), Text(Entry.Original.SourcePort)),
        };
        return end.Length < whole.Length && whole.StartsWith(end, StringComparison.Ordinal);
    }

    /// <summary>True if a second id of ICMP follows the first. A word was moved, so either may be the id of the entry.</summary>
    public bool HasTwoIcmpIds(ReadOnlySpan<char> value) =>
        Current.Has(TupleParts.IcmpId)
        && (_direction == TupleDirection.Original
            || value.SequenceEqual(Text(Current.SourcePort))
            || (Current.SourcePort != Original.SourcePort && value.SequenceEqual(Text(Original.SourcePort))));

    public ConntrackTextRecord ToRecord()
    {
        // What happened is not known without the event's word.
        if (EventType is null && PortId is { } port)
            AddKnownExtra("portid", Text(port));
        if (_extra is not null)
            Entry.MakeDetails().Extra = _extra.AsReadOnly();
        return new ConntrackTextRecord(ToEntry()) { UnknownWords = _unknown.Count == 0 ? [] : [.. _unknown] };
    }

    /// <summary>True for the end of conntrackd's lines. Its external cache has no reply direction.</summary>
    private bool IsOfCache => _extra?.ContainsKey("active since") == true;

    private ConntrackEntry ToEntry()
    {
        if (EventType is not { } type)
            return Entry is ConntrackEvent ? Entry.CloneAs(new ConntrackEntry()) : Entry;
        ConntrackEvent happened = Entry as ConntrackEvent ?? (ConntrackEvent)Entry.CloneAs(new ConntrackEvent(type));
        (happened.EventType, happened.PortId) = (type, PortId);
        if ((EventTime ?? LoggedAt) is { } time)
            happened.SetEventTime(time.ToUniversalTime());
        return happened;
    }

    private void DeriveStart(TextContext context)
    {
        if (_age is not { } age || Entry.Has(EntryFields.StartTime))
            return;
        if ((context.CapturedAt ?? EventTime ?? LoggedAt) is not { } now)
        {
            Entry.SetAgeAlone(age);
            return;
        }

        ulong end = ClockText.ToNanoseconds(now);
        if (age < end / 1_000_000_000)
            SetStart(end - age * 1_000_000_000);
        else
            AddExtra("delta-time", Text(age));
    }

    private bool Set<T>(EntryFields field, ref T target, T value)
        where T : struct, IEquatable<T>
    {
        if ((_disputed & field) != 0)
            return false;
        if (Entry.Has(field) && !target.Equals(value))
        {
            _disputed |= field;
            Entry.Fields &= ~field;
            string other = field == EntryFields.State ? StateNames.Of(Protocol, Entry.Data.State) : string.Create(CultureInfo.InvariantCulture, $"{target}");
            AddExtra(WordOf(field), other);
            target = default;
            return false;
        }

        (target, Entry.Fields) = (value, Entry.Fields | field);
        _known++;
        return true;
    }

    /// <summary>The word for a field in the text.</summary>
    private static string WordOf(EntryFields field) => field switch
    {
        EntryFields.OriginalPackets or EntryFields.ReplyPackets => "packets",
        EntryFields.OriginalBytes or EntryFields.ReplyBytes => "bytes",
        EntryFields.UseCount => "use",
        EntryFields.StartTime => "start",
        EntryFields.StopTime => "stop",
        _ => field.ToString().ToLowerInvariant(),
    };

    private void Keep(string key, string value, char separator)
    {
        _extra ??= [];
        if (!_extra.TryGetValue(key, out string? other))
            _extra.Add(key, value);
        else if (value.Length > 0 && !other.Split(separator).Contains(value))
            _extra[key] = other.Length == 0 ? value : other + separator + value;
    }

    private static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}

