using System.Buffers;
using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a line of /proc/net/ip_conntrack, /proc/net/nf_conntrack, <c>conntrack -L</c> or <c>conntrack -E</c>.</summary>
/// <remarks>ct_seq_show of net/netfilter/nf_conntrack_standalone.c, __snprintf_conntrack_default of libnetfilter_conntrack and
/// event_cb of conntrack-tools: <c>[time] [event] family number protocol number timeout state</c>, of which the first two pairs
/// and the last two words may be missing, then <c>key=value</c> and words in brackets, for each direction from its src= on.
/// <see cref="FieldParser"/> and <see cref="MarkParser"/> know those.</remarks>
internal sealed class LineParser(EntryDraft draft, TextContext context)
{
    private readonly FieldParser _fields = new(draft, context);
    private readonly MarkParser _marks = new(draft);
    private bool _isNamed;

    /// <summary>True once the line has shown that it is one of these.</summary>
    public bool IsBegun { get; private set; }

    /// <summary>Reads a line into the draft.</summary>
    /// <returns>What was expected where the cursor stands; null for nothing.</returns>
    public string? Parse(ref TextCursor cursor)
    {
        IsBegun = false;
        return ReadHead(ref cursor) ?? ReadFields(ref cursor) ?? Complete();
    }

    private string? Complete()
    {
        TupleParts needed = _isNamed ? ProtocolText.NeededParts(draft.Protocol, draft.Original.Parts) : TupleParts.None;
        if (draft.Complete(needed, context) is { } missing)
            return missing;

        // A table's line ends in use=; without it the line has been cut off. Events don't have it.
        if (draft.EventType is null && !draft.Entry.Has(EntryFields.UseCount))
            return "use= at the end";
        if (!_marks.IsUnreplied)
            draft.SetStatus(ConntrackStatus.SeenReply);
        draft.DeriveNat();
        return null;
    }

    private string? ReadHead(ref TextCursor cursor)
    {
        const string Beginning = "the beginning of an entry: a protocol and its number, an address family, an event or an option such as -A";
        if (!cursor.Read(out ReadOnlySpan<char> word))
            return Beginning;
        if (word[0] == '[' && ClockText.TryParseEpoch(word.Trim("[]"), out DateTime time))
        {
            (draft.EventTime, IsBegun) = (time, true);
            cursor.Read(out word);
        }

        if (EventOf(word) is { } type)
        {
            (draft.EventType, IsBegun) = (type, true);
            cursor.Read(out word);
        }

        if (word is "ipv4" or "ipv6")
        {
            IsBegun = true;
            if (!cursor.Read(out ReadOnlySpan<char> number) || number is not ("2" or "10"))
                return "the address family's number: 2 or 10";
            cursor.Read(out word);
        }

        if (!ProtocolNames.TryParsePrinted(word, out IPProtocol? protocol))
            return IsBegun ? "a protocol such as tcp" : Beginning;
        if (!cursor.Read(out word) || !byte.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out byte protocolNumber)
            || (protocol ?? (IPProtocol)protocolNumber) != (IPProtocol)protocolNumber)
            return "the protocol's number";
        (draft.Protocol, _isNamed, IsBegun) = ((IPProtocol)protocolNumber, protocol is not null, true);
        return null;
    }

    private string? ReadFields(ref TextCursor cursor)
    {
        _marks.Begin();
        while (cursor.Read(out ReadOnlySpan<char> word))
        {
            int equals = word.IndexOf('=');
            string? expected = word[0] == '[' ? _marks.Read(word)
                : equals > 0 ? _fields.Read(word[..equals], word[(equals + 1)..], ref cursor)
                : draft.Original.Parts == TupleParts.None ? ReadBareWord(word)
                : word is "labels" ? null
                : "key=value or a word in brackets";
            if (expected is not null)
                return expected;
        }

        return null;
    }

    /// <summary>The timeout, then the state: entries that a flow table forwards have neither in /proc.</summary>
    private string? ReadBareWord(ReadOnlySpan<char> word)
    {
        if (!draft.Entry.Has(EntryFields.Timeout) && !draft.Entry.Has(EntryFields.State) && char.IsAsciiDigit(word[0]))
        {
            if (!uint.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out uint timeout))
                return "the timeout: a number of seconds";
            draft.SetTimeout(timeout);
            return null;
        }

        if (draft.Entry.Has(EntryFields.State))
            return "src=";
        if (StateNames.TryParse(word, draft.Protocol, out ConntrackState state))
        {
            draft.SetState(state);
            return null;
        }

        if (!ProtocolText.HasState(draft.Protocol) || word.ContainsAnyExcept(MarkParser.NameLetters))
            return draft.Entry.Has(EntryFields.Timeout) ? "a state such as ESTABLISHED, or src=" : "the timeout, a state or src=";
        draft.Omit($"the state {word}");
        return null;
    }

    private static ConntrackEventType? EventOf(ReadOnlySpan<char> word) => word switch
    {
        "[NEW]" => ConntrackEventType.New,
        "[UPDATE]" => ConntrackEventType.Update,
        "[DESTROY]" => ConntrackEventType.Destroy,
        _ => null,
    };
}

/// <summary>Reads the words in brackets of a line: status bits and times.</summary>
internal sealed class MarkParser(EntryDraft draft)
{
    /// <summary>What the kernel's words in capitals consist of.</summary>
    public static readonly SearchValues<char> NameLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    /// <summary>True where the line says that no reply has been seen.</summary>
    public bool IsUnreplied { get; private set; }

    public void Begin() => IsUnreplied = false;

    /// <summary>Reads a word in brackets.</summary>
    /// <returns>What was expected instead; null for nothing.</returns>
    public string? Read(ReadOnlySpan<char> word)
    {
        if (word[^1] != ']')
            return "the closing bracket";
        ReadOnlySpan<char> mark = word[1..^1];
        switch (mark)
        {
            case "UNREPLIED":
                IsUnreplied = true;
                return null;
            case "ASSURED":
                draft.SetStatus(ConntrackStatus.Assured);
                return null;
            case "OFFLOAD":
                draft.SetStatus(ConntrackStatus.Offload);
                return null;
            case "HW_OFFLOAD":
                draft.SetStatus(ConntrackStatus.Offload | ConntrackStatus.HwOffload);
                return null;
            case "USERSPACE":
                return null;
        }

        if (mark.StartsWith("start=") || mark.StartsWith("stop="))
            return ReadTime(mark[0..(mark.IndexOf('=') + 1)], mark[(mark.IndexOf('=') + 1)..]);
        if (mark.IsEmpty || mark.ContainsAnyExcept(NameLetters))
            return "a mark such as [ASSURED]";
        draft.Omit(word.ToString());
        return null;
    }

    private string? ReadTime(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (!ClockText.TryParse(value, out DateTime time))
            return "a time such as Fri Nov 20 07:40:00 2026";
        if (key is "start=")
            draft.SetStart(ClockText.ToNanoseconds(time));
        else
            draft.SetStop(ClockText.ToNanoseconds(time));
        return null;
    }
}
