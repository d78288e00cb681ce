using System.Buffers;
using ConntrackPS.Conntrack;
using ConntrackPS.Expectations;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads expectations: a line of /proc/net/nf_conntrack_expect, /proc/net/ip_conntrack_expect, <c>conntrack -L expect</c>,
/// <c>conntrack -E expect</c> or <c>conntrackd -i expect</c>, or an element of their XML.</summary>
/// <remarks>exp_seq_show of net/netfilter/nf_conntrack_expect.c, print_expect of kernel 2.4, snprintf_expect_default of
/// libnetfilter_conntrack: <c>[time] [event] EXPECTING: timeout l3proto = family proto=number</c>. All but the last part may be missing.
/// Then <c>key=value</c>, flags, and in /proc the helper. Lines of connections have no proto=, so they are never read as
/// expectations.</remarks>
internal sealed class ExpectationForm : ITextForm
{
    private const string Protocol = "proto=";
    private const string Number16 = "a number from 0 to 65535, once in each tuple";

    /// <summary>The characters of names of helpers and their classes, such as <c>H.245</c>, <c>ftp-2121</c> or <c>sip/audio</c>.</summary>
    private static readonly SearchValues<char> NameLetters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-/");

    private readonly ExpectationDraft _draft = new();
    private readonly ExpectationXml _xml;
    private bool _isOfProc;

    public ExpectationForm() => _xml = new ExpectationXml(_draft);

    /// <inheritdoc/>
    public ConntrackTextSource Source => ConntrackTextSource.Expectation;

    /// <inheritdoc/>
    public IReadOnlyList<string> UnknownWords => _draft.UnknownWords;

    /// <inheritdoc/>
    public TextMatch Read(ReadOnlySpan<char> line, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        _draft.Begin();
        if (line.StartsWith("<"))
            return _xml.Read(line, out item, out fault);
        TextCursor cursor = new(line, 0);
        TextMatch match = ReadHead(line, ref cursor, out string? expected);
        if (match == TextMatch.None)
            return match;
        expected ??= ReadFields(ref cursor) ?? _draft.Check();
        if (expected is not null)
        {
            fault = new TextFault(cursor.Word.ToString(), cursor.Start + 1, expected, IsBegun: true, cursor.IsAtEnd);
            return TextMatch.Faulty;
        }

        item = _draft.ToExpectation();
        return TextMatch.Read;
    }

    /// <summary>Reads <c>[1795922948.454213]</c>.</summary>
    internal static bool TryReadTime(ReadOnlySpan<char> word, out DateTime time)
    {
        time = default;
        return word is ['[', _, .., ']'] && ClockText.TryParseEpoch(word[1..^1], out time);
    }

    /// <summary>Reads the line up to the protocol.</summary>
    private TextMatch ReadHead(ReadOnlySpan<char> line, ref TextCursor cursor, out string? expected)
    {
        expected = null;
        _isOfProc = false;
        string? unreadTime = null;
        cursor.Read(out ReadOnlySpan<char> word);
        if (TryReadTime(word, out DateTime time))
        {
            _draft.EventTime = time.ToLocalTime();
            cursor.Read(out word);
        }
        else if (word.Length > 2 && word[0] == '[' && char.IsAsciiDigit(word[1]))
        {
            // A time that may mean two things.
            unreadTime = word.Trim("[]").ToString();
            cursor.Read(out word);
        }

        // Pages lose brackets.
        _draft.EventType = EventText.TypeOf(word.StartsWith("[") && word.EndsWith("]") ? word[1..^1] : word);
        if (_draft.EventType is not null)
            cursor.Read(out word);
        else if (_draft.EventTime is not null || unreadTime is not null)
            return TextMatch.None;
        if (unreadTime is not null)
            _draft.AddUnknown(unreadTime, "");
        bool isOld = word is "EXPECTING:";
        if (isOld)
        {
            _draft.Flags = null;
            cursor.Read(out word);
        }

        bool hasTimeout = ReadTimeout(word);
        if (hasTimeout)
            cursor.Read(out word);
        if (word.StartsWith("l3proto"))
            return ReadFamily(word, ref cursor, out expected);

        // Kernel 2.4 prints a reference count.
        if (isOld && word.StartsWith("use="))
        {
            _draft.AddExtra("use", word[4..].ToString());
            cursor.Read(out word);
        }

        if (!word.StartsWith(Protocol))
        {
            expected = Protocol;
            return isOld ? TextMatch.Faulty : TextMatch.None;
        }

        // Lines of other programs may begin in the same way.
        bool isFollowed = line[(cursor.Start + word.Length)..].TrimStart().StartsWith("src=");
        if (TryReadProtocol(word, ref cursor, out expected))
            return isFollowed || isOld ? TextMatch.Read : TextMatch.None;
        return isFollowed || isOld ? TextMatch.Faulty : TextMatch.None;
    }

    private bool ReadTimeout(ReadOnlySpan<char> word)
    {
        if (word is "-")
            return true;
        ReadOnlySpan<char> digits = word.StartsWith("-") ? word[1..] : word;
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange('0', '9'))
            return false;
        if (TextNumber.TryRead(word, out uint seconds))
            _draft.Timeout = seconds;
        else
            _draft.AddExtra(ExpectationText.Timeout, word.ToString());
        return true;
    }

    /// <summary>Reads <c>l3proto = 2 proto=6</c>, which only /proc/net/nf_conntrack_expect has.</summary>
    private TextMatch ReadFamily(ReadOnlySpan<char> word, ref TextCursor cursor, out string? expected)
    {
        expected = "l3proto = 2 or 10, and the protocol's number: proto=";
        if (word is not "l3proto" || !cursor.Read(out word) || word is not "=")
            return TextMatch.None;
        if (!cursor.Read(out word) || word is not ("2" or "10"))
            return TextMatch.Faulty;
        _draft.Family = word is "2" ? IPFamily.IPv4 : IPFamily.IPv6;
        _isOfProc = true;
        return cursor.Read(out word) && TryReadProtocol(word, ref cursor, out expected) ? TextMatch.Read : TextMatch.Faulty;
    }

    private bool TryReadProtocol(ReadOnlySpan<char> word, ref TextCursor cursor, out string? expected)
    {
        expected = null;
        if (word.StartsWith(Protocol) && TextNumber.TryRead(word[Protocol.Length..], out byte number))
        {
            _draft.Protocol = (IPProtocol)number;
            return true;
        }

        expected = "the protocol's number: proto=";
        return false;
    }

    private string? ReadFields(ref TextCursor cursor)
    {
        while (cursor.Read(out ReadOnlySpan<char> word))
        {
            int equals = word[0] == '[' ? -1 : word.IndexOf('=');
            string? expected = equals > 0 ? ReadField(word[..equals], word[(equals + 1)..], ref cursor) : ReadBareWord(word);
            if (expected is not null)
                return expected;
        }

        return null;
    }

    private string? ReadBareWord(ReadOnlySpan<char> word)
    {
        if (word[0] == '[')
        {
            if (word.Length < 3 || word[^1] != ']')
                return "the closing bracket";
            AddMark(word[1..^1].Trim());
        }
        else if (ExpectationText.TryParseFlags(word, out ExpectationFlags flags) && (_draft.Flags is ExpectationFlags.None || _draft.Flags == flags))
        {
            _draft.Flags = flags;
        }
        else if (_isOfProc && _draft.Helper is null && flags == ExpectationFlags.None && word.ContainsAnyExceptInRange('0', '9') && !word.ContainsAnyExcept(NameLetters) && word[0] != '/' && word[^1] != '/')
        {
            SetHelper(word);
        }
        else
        {
            _draft.AddUnknown(word.ToString(), "");
        }

        return null;
    }

    /// <summary>conntrackd ends its lines with <c>[active since 5s]</c>.</summary>
    private void AddMark(ReadOnlySpan<char> mark)
    {
        const string Age = "active since ", Rest = "expires in ";
        int end = mark.StartsWith(Age) ? Age.Length : mark.StartsWith(Rest) ? Rest.Length : 0;
        if (end > 0)
            _draft.AddExtra(mark[..(end - 1)].ToString(), mark[end..].ToString());
        else
            _draft.AddUnknown(mark.ToString(), "");
    }

    /// <summary>Reads the helper and the name of the class: <c>sip/audio</c>.</summary>
    private void SetHelper(ReadOnlySpan<char> word)
    {
        int slash = word.IndexOf('/');
        _draft.Helper = (slash < 0 ? word : word[..slash]).ToString();
        if (slash < 0)
            return;
        _draft.Class = ExpectationText.ClassNumberOf(word[..slash], word[(slash + 1)..]);
        if (_draft.Class is null)
            _draft.AddExtra(ExpectationText.Class, word[(slash + 1)..].ToString());
    }

    /// <summary>Reads a field.</summary>
    /// <returns>The expected form; null if the field was read.</returns>
    private string? ReadField(ReadOnlySpan<char> key, ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        switch (key)
        {
            case "src" or "dst":
                return _draft.CurrentTuple == ExpectationTuple.Expected ? SetAddress(key, value) : "src= and dst= once";
            case "mask-src" or "mask-dst":
                return SetAddress(ExpectationTuple.Mask, key["mask-".Length..], value);
            case "master-src" or "master-dst":
                return SetAddress(ExpectationTuple.Master, key["master-".Length..], value);
            case "sport" or "dport":
                return Set(key is "sport" ? TupleParts.SourcePort : TupleParts.DestinationPort, value);
            case "type" or "code":
                return SetByte(key is "type" ? TupleParts.IcmpType : TupleParts.IcmpCode, value);
            case "srckey" or "dstkey":
                return SetKey(key is "srckey" ? TupleParts.SourceKey : TupleParts.DestinationKey, value);
            case "id" when _draft.Current.Has(TupleParts.IcmpType) && !_draft.Current.Has(TupleParts.IcmpId):
                return Set(TupleParts.IcmpId, value);
            case "id" or "class":
                return SetNumber(key, value);
            case "zone":
                if (_draft.Zone is not null || !TextNumber.TryRead(value, out ushort zone))
                    return "a zone from 0 to 65535, once";
                _draft.Zone = zone;
                return null;
            case "helper":
                // No name contains =. So these are two words, not one that was cut between them.
                if (_draft.Helper is not null || value.IsEmpty || value.Contains('='))
                    _draft.AddUnknown(key.ToString(), value.ToString());
                else
                    _draft.Helper = value.ToString();
                return null;
            default:
                _draft.AddUnknown(key.ToString(), ReadQuoted(value, ref cursor));
                return null;
        }
    }

    private string? SetAddress(ExpectationTuple tuple, ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (tuple < _draft.CurrentTuple)
            return "mask-src=, mask-dst=, master-src= and master-dst= in this order";
        _draft.CurrentTuple = tuple;
        return SetAddress(key, value);
    }

    private string? SetAddress(ReadOnlySpan<char> key, ReadOnlySpan<char> value) =>
        _draft.Current.TrySetAddress(key is "src" ? TupleParts.Source : TupleParts.Destination, value)
            ? null
            : "an IPv4 or IPv6 address, once in each tuple";

    private string? Set(TupleParts part, ReadOnlySpan<char> value) =>
        TextNumber.TryRead(value, out ushort number) && _draft.Current.TrySet(part, number) ? null : Number16;

    private string? SetByte(TupleParts part, ReadOnlySpan<char> value) =>
        TextNumber.TryRead(value, out byte number) && _draft.Current.TrySet(part, number)
            ? null
            : "a number from 0 to 255, once in each tuple";

    private string? SetKey(TupleParts part, ReadOnlySpan<char> value) =>
        TextNumber.TryReadKey(value, out ushort key) && _draft.Current.TrySet(part, key)
            ? null
            : "a key from 0x0 to 0xffff, once in each tuple";

    private string? SetNumber(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (!TextNumber.TryRead(value, out uint number))
            _draft.AddUnknown(key.ToString(), value.ToString());
        else if ((key is "id" ? _draft.Id : _draft.Class) is { } other && other != number)
            return "one number";
        else if (key is "id")
            _draft.Id = number;
        else
            _draft.Class = number;
        return null;
    }

    /// <summary>Returns a value. A value in quotes may contain blanks.</summary>
    private static string ReadQuoted(ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        if (value.Length == 0 || value[0] != '"')
            return value.ToString();
        if (value.Length > 1 && value[^1] == '"')
            return value[1..^1].ToString();
        string text = value[1..].ToString() + cursor.ReadUntil("\"").ToString();
        cursor.Read(out ReadOnlySpan<char> end);
        return text + end.Trim('"').ToString();
    }
}
