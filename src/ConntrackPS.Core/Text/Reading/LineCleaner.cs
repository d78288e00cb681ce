using System.Buffers;
using System.Text;

namespace ConntrackPS.Text.Reading;

/// <summary>Removes from a line what a terminal, an editor or a damaged disk has added: colours, carriage returns, characters without
/// width, NULs.</summary>
/// <remarks>ECMA-48 escape sequences, also in the visible forms of other programs: <c>^[[0m</c> of cat -v, <c>ESC[0m</c> of less,
/// <c>#033[0m</c> of rsyslog, <c>\e[0m</c> and similar forms of source code, and <c>[0m</c>, if copying lost the ESC itself. A sequence
/// that may be a gap becomes a blank, so that two words never become one. Tab is the only control character that remains, so the result is
/// safe to show on a terminal.</remarks>
internal static class LineCleaner
{
    private const char Escape = '\x1B';
    private const char Backspace = '\b';
    private const char Replacement = '\uFFFD';

    /// <summary>Characters that need no further check. Others do: three that may begin a visible escape sequence, an opening bracket, which
    /// may be the rest of one, control characters, and all non-ASCII characters.</summary>
    private static readonly SearchValues<char> Ordinary = SearchValues.Create(
        "\t !\"$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ]_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Visible forms of the escape character.</summary>
    private static readonly string[] VisibleEscapes = ["^[", "\\e", "\\E", "\\x1b", "\\x1B", "\\033", "\\u001b", "\\u001B", "#033", "\u241B"];

    /// <summary>Cleans a line.</summary>
    /// <returns>The same object if there is nothing to clean.</returns>
    public static string Clean(string line)
    {
        ReadOnlySpan<char> text = line;
        int at = 0;
        while (true)
        {
            int found = text[at..].IndexOfAnyExcept(Ordinary);
            if (found < 0)
                return line;
            at += found;
            if (IsUnclean(text, at))
                return new Cleaning(IsInterleaved(text) ? line.Replace("\0", "", StringComparison.Ordinal) : line).Run();
            at++;
        }
    }

    /// <summary>True if cleaning would change something at this place. Only for the first such place of a line, before anything was
    /// removed.</summary>
    private static bool IsUnclean(ReadOnlySpan<char> text, int at) => text[at] switch
    {
        '[' => BareSequenceLength(text[at..], isAfterAnother: false) > 0,
        '^' or '\\' or '#' => VisibleControl(text[at..], out _) != '\0',
        char other => Meaning(text, at) != other,
    };

    /// <summary>True for UTF-16 that was read byte by byte: every second character is NUL, and no other.</summary>
    private static bool IsInterleaved(ReadOnlySpan<char> text)
    {
        Span<int> counts = stackalloc int[2];
        for (int i = 0; i < text.Length; i++)
            counts[i & 1] += text[i] == '\0' ? 1 : 0;
        int nuls = Math.Max(counts[0], counts[1]);

        // Characters beyond Latin-1 have no NUL, so a few exceptions are accepted.
        return Math.Min(counts[0], counts[1]) == 0 && nuls >= 2 && nuls * 9 >= (text.Length / 2 - 1) * 8;
    }

    /// <summary>The replacement of a single character: itself, a blank, or NUL to remove it.</summary>
    private static char Meaning(ReadOnlySpan<char> text, int at)
    {
        char c = text[at];
        switch (c)
        {
            case '\t':
                return c;
            case '\r' when at == 0 || at == text.Length - 1 || text[at + 1] == '\r':
            case '\u00AD' or '\u180E' or (>= '\u200B' and <= '\u200F') or (>= '\u202A' and <= '\u202E') or (>= '\u2060' and <= '\u2069'):
            case '\uFEFF' or '\uFFFE':
                return '\0';
            case < ' ' or (>= '\x7F' and <= '\u00A0') or '\u1680' or (>= '\u2000' and <= '\u200A') or '\u2028' or '\u2029' or '\u202F'
                or '\u205F' or '\u3000' or (>= '\u2400' and <= '\u2426'):
                return ' ';
            case '\u00C2' when text.Length > at + 1 && text[at + 1] == '\u00A0':
                // A no-break space of UTF-8 that was read as Latin-1.
                return '\0';
            case '\u00EF' when text[at..].StartsWith("\u00EF\u00BB\u00BF", StringComparison.Ordinal):
            case '\u00BB' when at > 0 && text[(at - 1)..].StartsWith("\u00EF\u00BB\u00BF", StringComparison.Ordinal):
            case '\u00BF' when at > 1 && text[(at - 2)..].StartsWith("\u00EF\u00BB\u00BF", StringComparison.Ordinal):
                // The byte order mark of UTF-8 that was read as Latin-1.
                return '\0';
            case Replacement when at == 0 || at == text.Length - 1 || !char.IsLetter(text[at - 1]) || !char.IsLetter(text[at + 1]):
                // Inside a name it was a letter. Elsewhere it is usually the no-break space of Latin-1.
                return ' ';
            default:
                return c;
        }
    }

    /// <summary>A control character in a visible form, such as <c>^M</c>, <c>^[</c>, <c>#011</c>, <c>\033</c>.</summary>
    /// <returns>The character; NUL if there is none.</returns>
    private static char VisibleControl(ReadOnlySpan<char> text, out int length)
    {
        length = 0;
        foreach (string escape in VisibleEscapes)
        {
            // An incomplete sequence may be anything: a path of Windows, a network in caret notation.
            if (text.StartsWith(escape, StringComparison.Ordinal)
                && (SequenceLength(text[escape.Length..], out _) > 0 || text[escape.Length..].StartsWith("]", StringComparison.Ordinal)))
            {
                length = escape.Length;
                return Escape;
            }
        }

        // The form of rsyslog's $EscapeControlCharactersOnReceive.
        if (text.Length >= 4 && text[0] == '#' && text[1] is '0' && text[2] is >= '0' and <= '3' && text[3] is >= '0' and <= '7')
        {
            length = 4;
            return (char)Math.Max(1, (text[2] - '0') * 8 + text[3] - '0');
        }

        // The form of cat -v. A bell may end a title.
        if (text.Length >= 2 && text[0] == '^' && text[1] is 'M' or '@' or 'I' or 'G' or 'H')
        {
            length = 2;
            return text[1] == '@' ? '\x1' : (char)(text[1] - '@');
        }

        // The form of source code and JSON: \t before blanks or a bracket, \r or
        //  at the end.
        if (text is ['\\', 't', ' ' or '[', ..])
        {
            length = 2;
            return '\t';
        }

        if (text is "\\n" or "\\r" or "\\r\\n")
        {
            length = text.Length;
            return '\n';
        }

        return '\0';
    }

    /// <summary>The length of an escape sequence without the escape character.</summary>
    /// <param name="text">The text after the escape character.</param>
    /// <param name="isGap">True for a sequence that moves the cursor: the following text was printed at another place.</param>
    /// <returns>0 if there is none; -1 for a string, such as a title, whose end is yet to be found.</returns>
    private static int SequenceLength(ReadOnlySpan<char> text, out bool isGap)
    {
        isGap = false;
        if (text.IsEmpty)
            return 0;
        switch (text[0])
        {
            case '[':
                int length = ControlSequenceLength(text[1..], out isGap);
                return length == 0 ? 0 : length + 1;
            case ']' or 'P' or 'X' or '^' or '_':
                return -1;
            case '(' or ')' or '*' or '+' or '#' or '%':
                return text.Length > 1 && text[1] is (>= '0' and <= '9') or (>= 'A' and <= 'Z') ? 2 : 0;
            case '=' or '>' or '7' or '8' or 'c' or 'M' or 'N' or 'O' or 'Z' or '\\':
                return 1;
            case 'D' or 'E' or 'H':
                isGap = true;
                return 1;
            default:
                return 0;
        }
    }

    /// <summary>The length of a control sequence's parameters and its final letter; 0 if there is none.</summary>
    private static int ControlSequenceLength(ReadOnlySpan<char> text, out bool isGap)
    {
        int length = 0;
        while (length < text.Length && text[length] is >= '0' and <= '?')
            length++;
        while (length < text.Length && text[length] is >= ' ' and <= '/')
            length++;
        isGap = length < text.Length && text[length] is (>= 'A' and <= 'I') or 'Z' or '`' or 'a' or 'd' or 'e' or 'f';
        return length < text.Length && text[length] is >= '@' and <= '~' ? length + 1 : 0;
    }

    /// <summary>The length of a colour that has lost its ESC, such as <c>[01;31m</c> or, after another, <c>[K</c>; 0 if there is
    /// none.</summary>
    private static int BareSequenceLength(ReadOnlySpan<char> text, bool isAfterAnother)
    {
        int length = 1;
        while (length < text.Length && text[length] is ';' or (>= '0' and <= '9') && length < 20)
            length++;
        if (length == text.Length || text[length] is not ('m' or 'K'))
            return 0;
        ReadOnlySpan<char> rest = text[(length + 1)..];
        if (text[length] == 'K')
            return isAfterAnother || (length > 1 && rest.IsEmpty) ? length + 1 : 0;

        // A single [m might begin a status word, and so might [5m with blanks. Such a word ends in its bracket before another one opens.
        if (length == 1 && !(isAfterAnother || rest.IsEmpty || rest[0] is ' ' || rest.StartsWith("[K", StringComparison.Ordinal)))
            return 0;
        int bracket = rest.IndexOfAny('[', ']');
        return bracket < 0 || rest[bracket] == '[' ? length + 1 : 0;
    }

    /// <summary>A line that is being cleaned.</summary>
    private sealed class Cleaning(string line)
    {
        private readonly StringBuilder _clean = new(line.Length);

        /// <summary>The position after which no end of a string was found. A second search is then unnecessary.</summary>
        private int _noEndFrom = int.MaxValue;
        private int _afterSequence = -1;

        public string Run()
        {
            ReadOnlySpan<char> text = line;
            for (int at = 0; at < text.Length;)
                at += Take(text, at);
            return _clean.ToString();
        }

        /// <summary>Reads one character or sequence.</summary>
        /// <returns>Its length.</returns>
        private int Take(ReadOnlySpan<char> text, int at)
        {
            char c = text[at];
            switch (c)
            {
                case '[':
                    if (BareSequenceLength(text[at..], _afterSequence == at) is > 0 and var length)
                    {
                        // less shows the escape character as a word.
                        if (_clean.Length >= 3 && _clean[^1] == 'C' && _clean[^2] == 'S' && _clean[^3] == 'E')
                            _clean.Length -= 3;
                        _afterSequence = at + length;
                        return length;
                    }

                    _clean.Append(c);
                    return 1;
                case '^' or '\\' or '#' or '\u241B':
                    char control = VisibleControl(text[at..], out int visible);
                    if (control == '\0')
                    {
                        AddMeaning(text, at);
                        return 1;
                    }

                    return control switch
                    {
                        Escape => visible + TakeSequence(text, at + visible),
                        Backspace => TakeBackspace(text, at, visible),
                        _ => TakeControl(text, at, control, visible),
                    };
                case Escape or '\u009B' or '\u009D':
                    return c switch
                    {
                        Escape => 1 + TakeSequence(text, at + 1),
                        '\u009B' => 1 + TakeControlSequence(text, at + 1),
                        _ => 1 + TakeString(text, at + 1),
                    };
                case Backspace:
                    return TakeBackspace(text, at, 1);
                default:
                    AddMeaning(text, at);
                    return 1;
            }
        }

        private void AddMeaning(ReadOnlySpan<char> text, int at)
        {
            if (Meaning(text, at) is not '\0' and var c)
                _clean.Append(c);
        }

        private int TakeControl(ReadOnlySpan<char> text, int at, char control, int length)
        {
            bool isAtEdge = at == 0 || text.Length == at + length;
            if (control == '\t')
                _clean.Append('\t');
            else if (!(isAtEdge && control is '\r' or '\n'))
                _clean.Append(' ');
            return length;
        }

        private int TakeSequence(ReadOnlySpan<char> text, int at)
        {
            int length = SequenceLength(text[at..], out bool isGap);
            if (length < 0)
                return 1 + TakeString(text, at + 1);
            if (length == 0 || isGap)
                _clean.Append(' ');
            _afterSequence = at + length;
            return length;
        }

        private int TakeControlSequence(ReadOnlySpan<char> text, int at)
        {
            int length = ControlSequenceLength(text[at..], out bool isGap);
            if (length == 0 || isGap)
                _clean.Append(' ');
            return length;
        }

        /// <summary>Reads a title or a link, up to BEL or ESC \ in any of their forms. If the end is missing, it counts as text.</summary>
        private int TakeString(ReadOnlySpan<char> text, int at)
        {
            ReadOnlySpan<char> rest = text[at..];
            int end = at >= _noEndFrom ? -1 : rest.IndexOfAny('\a', Escape, '\u009C');
            int length = end >= 0 && rest[end] == Escape ? 2 : 1;
            if (at < _noEndFrom && (end < 0 ? rest : rest[..end]).IndexOf('^') is >= 0 and var caret
                && (rest[caret..].StartsWith("^G", StringComparison.Ordinal) || rest[caret..].StartsWith("^[\\", StringComparison.Ordinal)))
                (end, length) = (caret, rest[caret + 1] == 'G' ? 2 : 3);
            if (end >= 0 && (rest[end] != Escape || (rest.Length > end + 1 && rest[end + 1] == '\\')))
                return end + length;

            // Another sequence begins before the end, or the line ends.
            if (end < 0)
                _noEndFrom = Math.Min(_noEndFrom, at);
            _clean.Append(' ');
            return 0;
        }

        /// <summary>Printers made characters bold and underlined by printing twice at one place. Any other backspace is a gap.</summary>
        private int TakeBackspace(ReadOnlySpan<char> text, int at, int length)
        {
            char next = text.Length > at + length ? text[at + length] : '\0';
            if (_clean.Length > 0 && next != '\0' && (_clean[^1] == next || next == '_'))
                return length + 1;
            if (_clean.Length > 0 && _clean[^1] == '_' && next > ' ')
                _clean.Length--;
            else
                _clean.Append(' ');
            return length;
        }
    }
}
