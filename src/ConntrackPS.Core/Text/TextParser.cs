using System.Diagnostics.CodeAnalysis;

namespace ConntrackPS.Text;

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
