using System.Diagnostics.CodeAnalysis;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads one entry, in whatever form it is.</summary>
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
    public bool TryParseLine(ReadOnlySpan<char> line, [NotNullWhen(true)] out ConntrackTextRecord? record, out TextFault fault)
    {
        ReadOnlySpan<char> options = PastedCommand.OptionsOf(line);
        bool isCommand = SaveParser.IsCommand(PastedCommand.FirstWord(options));
        TextCursor cursor = new(line, isCommand ? line.Length - options.Length : 0);
        _draft.Begin();
        string? expected = isCommand ? _commands.Parse(ref cursor) : _lines.Parse(ref cursor);
        if (expected is not null)
        {
            record = null;
            fault = new TextFault(cursor.Word.ToString(), cursor.Start + 1, expected, isCommand || _lines.IsBegun, cursor.IsAtEnd);
            return false;
        }

        (record, fault) = (_draft.ToRecord(), default);
        return true;
    }

    /// <summary>Reads a flow element of XML.</summary>
    public bool TryParseFlow(string element, [NotNullWhen(true)] out ConntrackTextRecord? record, out TextFault fault)
    {
        _draft.Begin();
        bool isRead = _flows.TryParse(element, out fault);
        record = isRead ? _draft.ToRecord() : null;
        return isRead;
    }
}

/// <summary>What a text doesn't tell by itself.</summary>
/// <param name="Labels">The names of label bits.</param>
/// <param name="CapturedAt">When the text was printed, which is what delta-time= counts from.</param>
internal sealed record TextContext(LabelNames Labels, DateTime? CapturedAt);

/// <summary>Walks over the words of a line. A word in brackets, such as <c>[start=Fri Nov 20 07:40:00 2026]</c>, is one.</summary>
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

    /// <summary>The index of the word read last, or of the end.</summary>
    public int Start { get; private set; }

    /// <summary>True after the last word.</summary>
    public readonly bool IsAtEnd => _next >= _text.Length;

    /// <summary>The word read last; empty at the end.</summary>
    public readonly ReadOnlySpan<char> Word => _text[Start.._next];

    public bool Read(out ReadOnlySpan<char> word)
    {
        ReadOnlySpan<char> rest = SkipBlanks();
        return Take(rest.Length > 0 && rest[0] == '[' ? rest.IndexOf(']') + 1 : rest.IndexOfAny(' ', '\t'), out word);
    }

    /// <summary>Reads an argument of a command: blanks end it, except in quotes.</summary>
    public bool ReadArgument(out ReadOnlySpan<char> word)
    {
        ReadOnlySpan<char> rest = SkipBlanks();
        if (rest.Length == 0 || rest[0] != '"')
            return Take(rest.IndexOfAny(' ', '\t'), out word);
        Take(rest[1..].IndexOf('"') + 2 is > 1 and var length ? length : 0, out word);
        word = word.Trim('"');
        return true;
    }

    /// <summary>Reads on to where the text stands, or to the end.</summary>
    public ReadOnlySpan<char> ReadUntil(ReadOnlySpan<char> text)
    {
        int length = _text[_next..].IndexOf(text);
        int from = _next;
        _next = length < 0 ? _text.Length : from + length;
        return _text[from.._next];
    }

    private ReadOnlySpan<char> SkipBlanks()
    {
        int start = _next;
        while (start < _text.Length && _text[start] is ' ' or '\t')
            start++;
        Start = start;
        return _text[start..];
    }

    /// <summary>Takes so many characters, or all that are left where there is no such place.</summary>
    private bool Take(int length, out ReadOnlySpan<char> word)
    {
        _next = length > 0 ? Start + length : _text.Length;
        word = _text[Start.._next];
        return word.Length > 0;
    }
}
