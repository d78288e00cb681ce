using System.Diagnostics.CodeAnalysis;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads one entry in any form.</summary>
internal sealed class TextParser
{
    private readonly EntryDraft _draft = new();
    private readonly LineParser _lines;
    private readonly SaveParser _commands;
    private readonly XmlFlowParser _flows;

    public TextParser(TextContext context)
    {
        _lines = new LineParser(_draft, context);
        _commands = new SaveParser(_draft, context);
        _flows = new XmlFlowParser(_draft, context);
    }

    /// <summary>Reads a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="loggedAt">The time that a log has before the line. It becomes the time of an event that has no other.</param>
    public LineReading ParseLine(ReadOnlySpan<char> line, DateTime? loggedAt)
    {
        TextCursor cursor = new(line, 0);
        _draft.Begin(mayBeEvent: cursor.IsAtBracket);
        DateTime? time = SkipTime(ref cursor);
        ReadOnlySpan<char> options = PastedCommand.OptionsOf(cursor.Rest);
        bool isCommand = SaveParser.IsCommand(PastedCommand.FirstWord(options));
        cursor = new TextCursor(line, isCommand ? line.Length - options.Length : 0);
        (_draft.EventTime, _draft.LoggedAt) = (isCommand ? time : null, loggedAt);
        _draft.IsEvent = isCommand && time is not null;
        string? expected = isCommand ? _commands.Parse(ref cursor) : _lines.Parse(ref cursor);
        return expected is null
            ? new LineReading(_draft.ToRecord(), default, _draft.KnownCount, _draft.UnknownCount, _draft.WordsInFront)
            : new LineReading(
                null, new TextFault(cursor.Word.ToString(), cursor.Start + 1, expected, isCommand || _lines.IsBegun, cursor.IsAtEnd),
                _draft.KnownCount, _draft.UnknownCount, _draft.WordsInFront);
    }

    /// <summary>Reads a flow element of XML.</summary>
    /// <param name="element">The element.</param>
    /// <param name="program">The words after the element, about the program that caused an event; empty if there are none.</param>
    /// <param name="loggedAt">The time that a log has before it; null if there is none.</param>
    /// <param name="record">The entry.</param>
    /// <param name="fault">The part that doesn't fit.</param>
    public bool TryParseFlow(string element, string program, DateTime? loggedAt, [NotNullWhen(true)] out ConntrackTextRecord? record, out TextFault fault)
    {
        _draft.Begin();
        _draft.LoggedAt = loggedAt;
        bool isRead = _flows.TryParse(element, out fault);
        if (isRead && program.Length > 0)
            _lines.ParseFields(program);
        record = isRead ? _draft.ToRecord() : null;
        return isRead;
    }

    /// <summary><c>conntrack -E -o timestamp,save</c> prints the time before the command.</summary>
    private static DateTime? SkipTime(ref TextCursor cursor)
    {
        if (!cursor.IsAtBracket)
            return null;
        TextCursor ahead = cursor;
        if (!ahead.Read(out ReadOnlySpan<char> word) || !ClockText.TryParseEpoch(word.Trim("[]"), out DateTime time))
            return null;
        cursor = ahead;
        return time;
    }
}

/// <summary>The result of reading a line.</summary>
/// <param name="Record">The entry; null if there is a fault.</param>
/// <param name="Fault">The part that doesn't fit.</param>
/// <param name="Known">The number of words that were understood.</param>
/// <param name="Unknown">The number of unknown words.</param>
/// <param name="InFront">The number of unknown words before the entry.</param>
internal readonly record struct LineReading(ConntrackTextRecord? Record, TextFault Fault, int Known, int Unknown, int InFront)
{
    /// <summary>True if this reading understood more.</summary>
    public bool IsBetterThan(in LineReading other) => (Record is not null, other.Record is not null) switch
    {
        (true, true) => Unknown < other.Unknown,
        (false, false) => Fault.IsBegun && !other.Fault.IsBegun,
        (var isRead, _) => isRead,
    };
}

/// <summary>Facts that a text does not contain.</summary>
/// <param name="Labels">The names of label bits.</param>
/// <param name="CapturedAt">When the text was printed. delta-time= counts from this time.</param>
/// <param name="AllowMasked">True to read lines with hidden addresses.</param>
internal sealed record TextContext(LabelNames Labels, DateTime? CapturedAt, bool AllowMasked = false);

/// <summary>Moves over the words of a line. A word in brackets, such as <c>[start=Fri Nov 20 07:40:00 2026]</c>, counts as one.</summary>
internal ref struct TextCursor
{
    private readonly ReadOnlySpan<char> _text;
    private int _next;

    /// <param name="text">The line.</param>
    /// <param name="from">The index of the first word.</param>
    public TextCursor(ReadOnlySpan<char> text, int from)
    {
        _text = text.TrimEnd();
        _next = from;
    }

    /// <summary>The index of the last word that was read, or of the end.</summary>
    public int Start { get; private set; }

    /// <summary>True before the first word.</summary>
    public readonly bool IsAtStart => _next == 0;

    /// <summary>True if the next word is in brackets.</summary>
    public readonly bool IsAtBracket => _text[_next..].TrimStart() is ['[', ..];

    /// <summary>The text after the last word that was read.</summary>
    public readonly ReadOnlySpan<char> Rest => _text[_next..];

    /// <summary>True after the last word.</summary>
    public readonly bool IsAtEnd => _next >= _text.Length;

    /// <summary>The last word that was read; empty at the end.</summary>
    public readonly ReadOnlySpan<char> Word => _text[Start.._next];

    /// <summary>The index of the first = in the last word; -1 if there is none, and in words in brackets.</summary>
    public int EqualsIndex { get; private set; }

    public bool Read(out ReadOnlySpan<char> word)
    {
        ReadOnlySpan<char> text = SkipBlanks();
        EqualsIndex = -1;
        int end = text.Length > 0 && text[0] == '[' ? EndOfBrackets(text) : 0;
        if (end == 0)
        {
            // Words are short, so this is faster than a search for blanks and one for =.
            for (; end < text.Length; end++)
            {
                char letter = text[end];
                if (letter > '=')
                    continue;
                if (letter is ' ' or '\t')
                    break;
                if (letter == '=' && EqualsIndex < 0)
                    EqualsIndex = end;
            }
        }

        _next = Start + end;
        word = text[..end];
        return end > 0;
    }

    /// <summary>Reads up to the closing quote of a value in quotes, which may contain blanks.</summary>
    /// <returns>The value, without quotes.</returns>
    public ReadOnlySpan<char> ReadQuoted(ReadOnlySpan<char> value)
    {
        if (value.Length == 0 || value[0] is not ('"' or '\''))
            return value;
        char quote = value[0];
        int begin = _next - value.Length;
        int end = value.Length > 1 && value[^1] == quote ? -1 : _text[_next..].IndexOf(quote);
        if (end >= 0)
            _next += end + 1;
        return _text[begin.._next].Trim(quote);
    }

    /// <summary>Reads an argument of a command. A blank outside of quotes ends it.</summary>
    public bool ReadArgument(out ReadOnlySpan<char> word)
    {
        ReadOnlySpan<char> rest = SkipBlanks();
        if (rest.Length == 0 || rest[0] != '"')
            return Take(rest.IndexOfAny(' ', '\t'), out word);
        Take(rest[1..].IndexOf('"') + 2 is > 1 and var length ? length : 0, out word);
        word = word.Trim('"');
        return true;
    }

    /// <summary>Reads up to the given text, or to the end.</summary>
    public ReadOnlySpan<char> ReadUntil(ReadOnlySpan<char> text)
    {
        int length = _text[_next..].IndexOf(text);
        int from = _next;
        _next = length < 0 ? _text.Length : from + length;
        return _text[from.._next];
    }

    /// <summary>Reads on to a word in brackets or one with = in it, or to the end.</summary>
    public ReadOnlySpan<char> ReadUntilField()
    {
        ReadOnlySpan<char> rest = _text[_next..];
        int end = rest.IndexOf(" [") is >= 0 and var bracket ? bracket : rest.Length;
        if (rest[..end].IndexOf('=') is >= 0 and var equals)
            end = Math.Max(0, rest[..equals].LastIndexOfAny(' ', '\t'));
        _next += end;
        return rest[..end];
    }

    /// <summary>The index of the closing bracket, if there are no brackets and no tuple inside; 0 if there is none.</summary>
    private static int EndOfBrackets(ReadOnlySpan<char> text)
    {
        int end = text[1..].IndexOfAny('[', ']') + 1;
        return end > 0 && text[end] == ']' && (end < 6 || !text[..end].Contains("src=", StringComparison.Ordinal)) ? end + 1 : 0;
    }

    private ReadOnlySpan<char> SkipBlanks()
    {
        int start = _next;
        while (start < _text.Length && _text[start] is ' ' or '\t')
            start++;
        Start = start;
        return _text[start..];
    }

    /// <summary>Takes this number of characters, or all remaining ones for 0.</summary>
    private bool Take(int length, out ReadOnlySpan<char> word)
    {
        _next = length > 0 ? Start + length : _text.Length;
        word = _text[Start.._next];
        return word.Length > 0;
    }
}
