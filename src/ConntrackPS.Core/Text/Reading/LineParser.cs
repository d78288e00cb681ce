using System.Buffers;
using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a line of /proc/net/ip_conntrack, /proc/net/nf_conntrack, <c>conntrack -L</c> or <c>conntrack -E</c>, or of
/// conntrackd's caches.</summary>
/// <remarks>ct_seq_show of net/netfilter/nf_conntrack_standalone.c, __snprintf_conntrack_default of libnetfilter_conntrack and event_cb of
/// conntrack-tools: <c>[time] [event] family number protocol number timeout state</c>. The first two pairs and the last two words may be
/// missing. Then, for each direction from its src= on, <c>key=value</c> and words in brackets. <see cref="FieldParser"/> and <see
/// cref="MarkParser"/> read those. Kernels of routers add their own words anywhere, so an unknown word becomes an extra of the entry. Only
/// a malformed tuple makes the line an error.</remarks>
internal sealed class LineParser(EntryDraft draft, TextContext context)
{
    private const string Beginning = "the beginning of an entry: a protocol and its number, an address family, an event or an option such as -A";
    private const string ProtocolNumber = "the protocol's number";
    private const string NumberOfUnknown = "the protocol's number and one timeout";

    private readonly FieldParser _fields = new(draft, context);
    private readonly MarkParser _marks = new(draft);
    private bool _isNamed;
    private bool _isNumbered;
    private bool _hasOtherWord;
    private uint _familyNumber;
    private uint? _numberInFront;
    private bool _isNumberBeforeProtocol;

    /// <summary>True if the line has proved to be an entry.</summary>
    public bool IsBegun { get; private set; }

    /// <summary>Reads a line into the draft.</summary>
    /// <returns>The expected form of the word at the cursor; null if the line was read.</returns>
    public string? Parse(ref TextCursor cursor)
    {
        (IsBegun, _isNamed, _isNumbered, _hasOtherWord) = (false, false, false, false);
        (_familyNumber, _numberInFront, _isNumberBeforeProtocol) = (0, null, false);
        _marks.Begin();
        _fields.Begin();
        return ReadHead(ref cursor) ?? ReadFields(ref cursor) ?? Complete();
    }

    /// <summary>Reads the words after an element of XML.</summary>
    public void ParseFields(ReadOnlySpan<char> text)
    {
        TextCursor cursor = new(text, 0);
        ReadFields(ref cursor);
    }

    private string? Complete()
    {
        if (_marks.Contradiction is { } contradiction)
            return contradiction;
        TupleParts needed = _isNamed ? ProtocolText.NeededParts(draft.Protocol, draft.Original.Parts) : TupleParts.None;
        if (draft.Complete(needed, context) is { } missing)
            return missing;
        if (_fields.IsInTuple && draft.EndsWithinReply())
            return "the rest of the line";
        if (IsTimeoutDoubtful())
            draft.TakeBackTimeout();
        if (!_isNamed && draft.HasTwoTimeouts)
            return NumberOfUnknown;
        if (_numberInFront is { } number)
            KeepNumberInFront(number);
        draft.CompleteMark();
        if (!_marks.IsUnreplied)
            draft.SetStatus(ConntrackStatus.SeenReply);
        if (_marks.IsUnconfirmed)
            draft.Entry.Status &= ~ConntrackStatus.Confirmed;
        draft.DeriveNat();
        return null;
    }

    /// <summary>True if the number read as the timeout may be the protocol's or the family's own, which was doubled or moved there.</summary>
    private bool IsTimeoutDoubtful()
    {
        if (!draft.Entry.Has(EntryFields.Timeout))
            return false;
        uint timeout = draft.Entry.Data.Timeout;
        if (_familyNumber != 0 && timeout == _familyNumber)
            return true;
        if (timeout != (uint)draft.Protocol)
            return false;
        return !_isNumbered || _hasOtherWord || draft.MayLackTimeout
            || (ProtocolText.HasState(draft.Protocol) && !(draft.Entry.Has(EntryFields.State) && (draft.EventType is not null || draft.Entry.Has(EntryFields.UseCount))));
    }

    /// <summary>VyOS' logger writes the entry's id there, directly before the protocol. A line without a timeout may have its timeout there
    /// instead, unless the number is too large for one, and a line without a family that of the family.</summary>
    private void KeepNumberInFront(uint number)
    {
        const uint LongestTimeout = 10_000_000;
        bool isId = _isNumberBeforeProtocol && number is not (2 or 10) && _familyNumber == 0 && number != (uint)draft.Protocol
            && draft.EventType is not null && (draft.Entry.Has(EntryFields.Timeout) || number > LongestTimeout);
        if (!isId || !draft.SetId(number))
            draft.AddExtra(number.ToString(CultureInfo.InvariantCulture), "");
    }

    /// <summary>Reads up to the protocol and its number.</summary>
    private string? ReadHead(ref TextCursor cursor)
    {
        TextCursor first = cursor, mismatch = cursor;
        bool isMismatched = false;
        while (cursor.Read(out ReadOnlySpan<char> word) && !word.StartsWith("src=") && !word.StartsWith("dst="))
        {
            // IPv6 is also the name of protocol 41.
            if (TryReadFamily(word, ref cursor))
                continue;
            if (ProtocolNames.TryParsePrinted(word, out IPProtocol? protocol))
            {
                TextCursor ahead = cursor;
                if (TryReadProtocol(protocol, ref cursor))
                    return null;
                if (!isMismatched && ahead.Read(out _))
                {
                    mismatch = ahead;
                    isMismatched = true;
                }

                draft.CountWordInFront();
                draft.AddExtra(word, "");
            }
            else if (TryReadNamelessProtocol(word, cursor))
            {
                return null;
            }
            else
            {
                ReadWordInFront(word, ref cursor);
            }
        }

        if (isMismatched)
            cursor = mismatch;
        else if (!IsBegun)
        {
            cursor = first;
            cursor.Read(out _);
        }

        return isMismatched ? ProtocolNumber : IsBegun ? "a protocol such as tcp" : Beginning;
    }

    /// <summary>Reads the number after the name of the protocol. A line without it is still clear if a state or src= follows.</summary>
    private bool TryReadProtocol(IPProtocol? protocol, ref TextCursor cursor)
    {
        TextCursor ahead = cursor;
        if (!ahead.Read(out ReadOnlySpan<char> word))
            return false;
        if (TextNumber.TryRead(word, out byte number))
        {
            if (protocol is { } named && named != (IPProtocol)number)
                return false;
            cursor = ahead;
            _isNumbered = true;
        }
        else if (protocol is null || !BeginsTuple(word, protocol.Value))
        {
            return false;
        }

        Begin(protocol ?? (IPProtocol)number, protocol is not null);
        return true;
    }

    /// <summary>Reads <c>6 431999 ESTABLISHED src=</c>, if the name of the protocol is cut off or damaged.</summary>
    private bool TryReadNamelessProtocol(ReadOnlySpan<char> word, TextCursor ahead)
    {
        if (!TextNumber.TryRead(word, out byte number)
            || ProtocolNames.ToTracked((IPProtocol)number) == ProtocolNames.Untracked
            || !ahead.Read(out ReadOnlySpan<char> timeout) || timeout.ContainsAnyExceptInRange('0', '9')
            || !ahead.Read(out ReadOnlySpan<char> next)
            || (ProtocolText.HasState((IPProtocol)number) ? !StateNames.TryParse(next, (IPProtocol)number, out _) : !next.StartsWith("src=")))
        {
            return false;
        }

        // A number before the number is no id then, but perhaps the protocol's name, damaged.
        (_isNumbered, _isNumberBeforeProtocol) = (true, false);
        Begin((IPProtocol)number, isNamed: true);
        return true;
    }

    private void Begin(IPProtocol protocol, bool isNamed) => (draft.Protocol, _isNamed, IsBegun) = (protocol, isNamed, true);

    private bool TryReadFamily(ReadOnlySpan<char> word, ref TextCursor cursor)
    {
        // libnl has other names.
        if (word is not ("ipv4" or "ipv6" or "inet" or "inet6"))
            return false;
        IsBegun = true;
        TextCursor ahead = cursor;
        if (ahead.Read(out ReadOnlySpan<char> number) && number is "2" or "10")
            cursor = ahead;
        else
            _familyNumber = word is "ipv4" ? 2U : 10;
        _isNumberBeforeProtocol = false;
        return true;
    }

    private void ReadWordInFront(ReadOnlySpan<char> word, ref TextCursor cursor)
    {
        if (word[0] == '[' || EventText.TypeOf(word) is not null)
        {
            _marks.Read(word);
            IsBegun |= draft.EventType is not null || draft.EventTime is not null;
        }
        else if (draft.EventType is not null && _numberInFront is null
            && TextNumber.TryRead(word, out uint number))
        {
            (_numberInFront, _isNumberBeforeProtocol) = (number, true);
            return;
        }
        else
        {
            draft.CountWordInFront();
            AddWord(word, ref cursor);
        }

        _isNumberBeforeProtocol = false;
    }

    private string? ReadFields(ref TextCursor cursor)
    {
        while (cursor.Read(out ReadOnlySpan<char> word))
        {
            int equals = cursor.EqualsIndex;
            string? expected = null;
            if (word[0] == '[')
                _marks.Read(word);
            else if (equals > 0)
                expected = _fields.Read(word[..equals], word[(equals + 1)..], ref cursor);
            else if (draft.Original.Parts == TupleParts.None)
                ReadBareWord(word);
            else if (word is not "labels")
                draft.AddExtra(word, "");
            if (expected is not null)
                return expected;
            if (equals <= 0)
                _fields.LeaveTuple();
        }

        return null;
    }

    /// <summary>Reads the timeout, then the state. In /proc, entries that a flow table forwards have neither.</summary>
    private void ReadBareWord(ReadOnlySpan<char> word)
    {
        if (char.IsAsciiDigit(word[0]) && TextNumber.TryRead(word, out uint timeout))
        {
            if (!draft.SetTimeout(timeout))
                draft.AddExtra(word, "");
        }
        else if (!StateNames.TryParse(word, draft.Protocol, out ConntrackState state) || !draft.SetState(state))
        {
            draft.AddExtra(word, "");
            _hasOtherWord = true;
        }
    }

    private void AddWord(ReadOnlySpan<char> word, ref TextCursor cursor)
    {
        int equals = word.IndexOf('=');
        if (equals <= 0)
            draft.AddExtra(word, "");
        else if (word[..equals] is not "zone" || !_fields.TryReadZone(word[(equals + 1)..]))
            draft.AddExtra(word[..equals], cursor.ReadQuoted(word[(equals + 1)..]));
    }

    /// <summary>True for words that may follow the number of a protocol.</summary>
    private static bool BeginsTuple(ReadOnlySpan<char> word, IPProtocol protocol) =>
        word.StartsWith("src=") || (ProtocolText.HasState(protocol) && StateNames.TryParse(word, protocol, out _));
}

/// <summary>Reads the words in brackets of a line: events, status bits and times.</summary>
internal sealed class MarkParser(EntryDraft draft)
{
    /// <summary>The characters of the kernel's words in capitals.</summary>
    public static readonly SearchValues<char> NameLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    /// <summary>True if the line says that no reply has been seen.</summary>
    public bool IsUnreplied { get; private set; }

    /// <summary>True if the line says that the connection's first packet has not left yet.</summary>
    public bool IsUnconfirmed { get; private set; }

    /// <summary>The contradiction, if the line says two different things; null if there is none.</summary>
    public string? Contradiction { get; private set; }

    public void Begin() => (IsUnreplied, IsUnconfirmed, Contradiction) = (false, false, null);

    /// <summary>Reads a word in brackets. An unknown word becomes an extra.</summary>
    public void Read(ReadOnlySpan<char> word)
    {
        ReadOnlySpan<char> mark = word[^1] == ']' && word.Length > 2 ? word[1..^1].Trim() : word;
        switch (mark)
        {
            case "UNREPLIED":
                IsUnreplied = true;
                draft.CountKnown();
                break;
            case "UNCONFIRMED":
                // Kernels before 2.6.15 list entries that are not in the table yet.
                IsUnconfirmed = true;
                draft.CountKnown();
                break;
            case "ASSURED":
                draft.SetStatus(ConntrackStatus.Assured);
                break;
            case "OFFLOAD":
                draft.SetStatus(ConntrackStatus.Offload);
                break;
            case "HW_OFFLOAD":
                draft.SetStatus(ConntrackStatus.Offload | ConntrackStatus.HwOffload);
                break;
            case "USERSPACE":
                draft.IsEvent = true;
                break;
            default:
                if (EventText.TypeOf(mark) is { } type)
                    SetEvent(type);
                else if (!TryReadTime(word, mark))
                    AddExtra(mark);
                break;
        }
    }

    private void SetEvent(ConntrackEventType type)
    {
        if (draft.EventType is { } other && other != type)
            Contradiction = "one event, not two";
        draft.EventType = type;
        draft.CountKnown();
    }

    private bool TryReadTime(ReadOnlySpan<char> word, ReadOnlySpan<char> mark)
    {
        if (mark.IsEmpty)
            return false;
        if (char.IsAsciiDigit(mark[0]))
        {
            if (draft.EventTime is not null || !ClockText.TryParseEpoch(word[1..^1], out DateTime time))
                return false;
            draft.EventTime = time;
            return true;
        }

        return (mark.StartsWith("start=") && ClockText.TryParse(mark[6..], out DateTime start) && draft.SetStart(ClockText.ToNanoseconds(start)))
            || (mark.StartsWith("stop=") && ClockText.TryParse(mark[5..], out DateTime stop) && draft.SetStop(ClockText.ToNanoseconds(stop)));
    }

    /// <summary><c>[RTCACHE o33/r37]</c> is the word RTCACHE with a value. conntrackd ends its lines with <c>[active since 185s]</c>.</summary>
    private void AddExtra(ReadOnlySpan<char> mark)
    {
        int end = mark.IndexOfAny(' ', '=');
        if (mark.IsEmpty)
            return;
        if (mark.StartsWith("active since "))
            draft.AddKnownExtra("active since", mark[13..]);
        else if (mark.StartsWith("expires in "))
            draft.AddKnownExtra("expires in", mark[11..]);
        else if (end > 0)
            draft.AddExtra(mark[..end], mark[(end + 1)..]);
        else
            draft.AddExtra(mark, "");
    }
}
