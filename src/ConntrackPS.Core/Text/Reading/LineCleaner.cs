using System.Buffers;
using System.Text;

namespace ConntrackPS.Text.Reading;

/// <summary>Takes out of a line what only a terminal, an editor or a broken disk put between its characters: colours, carriage
/// returns, characters without width, NULs.</summary>
/// <remarks>ECMA-48 escape sequences, also in the forms in which programs make them visible: <c>^[[0m</c> of cat -v, <c>ESC[0m</c>
/// of less, <c>#033[0m</c> of rsyslog, <c>\e[0m</c> and its like of sources, and <c>[0m</c> where a paste lost the ESC itself.
/// What may have stood for a gap becomes a blank, so that no two words become one. No control character but the tab is left:
/// what is left may be shown on a terminal.</remarks>
internal static class LineCleaner
{
    private const char Escape = '\x1B';
    private const char Backspace = '\b';
    private const char Replacement = '\uFFFD';

    /// <summary>What needs no second look. The others do: three that may begin a visible escape sequence, an opening bracket, which
    /// may be the rest of one, controls, and all that is not ASCII.</summary>
    private static readonly SearchValues<char> Ordinary = SearchValues.Create(
        "\t !\"$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ]_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>The escape character, made visible.</summary>
    private static readonly string[] VisibleEscapes = ["^[", "\\e", "\\E", "\\x1b", "\\x1B", "\\033", "\\u001b", "\\u001B", "#033", "\u241B"];

    /// <summary>Cleans a line.</summary>
    /// <returns>The same object where nothing is to be cleaned.</returns>
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

    /// <summary>True where cleaning would change something here; for the first such place, so that nothing was taken before it.</summary>
    private static bool IsUnclean(ReadOnlySpan<char> text, int at) => text[at] switch
    {
        '[' => BareSequenceLength(text[at..], isAfterAnother: false) > 0,
        '^' or '\\' or '#' => VisibleControl(text[at..], out _) != '\0',
        char other => Meaning(text, at) != other,
    };

    /// <summary>UTF-16 that was read byte by byte: every second character is NUL, and no other one is.</summary>
    private static bool IsInterleaved(ReadOnlySpan<char> text)
    {
        Span<int> counts = stackalloc int[2];
        for (int i = 0; i < text.Length; i++)
            counts[i & 1] += text[i] == '\0' ? 1 : 0;
        int nuls = Math.Max(counts[0], counts[1]);

        // Characters beyond Latin-1 have no NUL: a few are granted.
        return Math.Min(counts[0], counts[1]) == 0 && nuls >= 2 && nuls * 9 >= (text.Length / 2 - 1) * 8;
    }

    /// <summary>What a single character stands for: itself, a blank, or NUL for nothing at all.</summary>
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
                // A no-break space in UTF-8, read as Latin-1.
                return '\0';
            case '\u00EF' when text[at..].StartsWith("\u00EF\u00BB\u00BF", StringComparison.Ordinal):
            case '\u00BB' when at > 0 && text[(at - 1)..].StartsWith("\u00EF\u00BB\u00BF", StringComparison.Ordinal):
            case '\u00BF' when at > 1 && text[(at - 2)..].StartsWith("\u00EF\u00BB\u00BF", StringComparison.Ordinal):
                // The mark at the beginning of UTF-8, read as Latin-1.
                return '\0';
            case Replacement when at == 0 || at == text.Length - 1 || !char.IsLetter(text[at - 1]) || !char.IsLetter(text[at + 1]):
                // Inside a name it was a letter; elsewhere, as a rule, the no-break space of Latin-1.
                return ' ';
            default:
                return c;
        }
    }

    /// <summary>A control character that a program made visible, such as <c>^M</c>, <c>^[</c>, <c>#011</c>, <c>\033</c>.</summary>
    /// <returns>NUL for none.</returns>
    private static char VisibleControl(ReadOnlySpan<char> text, out int length)
    {
        length = 0;
        foreach (string escape in VisibleEscapes)
        {
            // Less than a whole sequence, and it may be anything: a path of Windows, a network in caret notation.
            if (text.StartsWith(escape, StringComparison.Ordinal)
                && (SequenceLength(text[escape.Length..], out _) > 0 || text[escape.Length..].StartsWith("]", StringComparison.Ordinal)))
            {
                length = escape.Length;
                return Escape;
            }
        }

        // rsyslog's $EscapeControlCharactersOnReceive.
        if (text.Length >= 4 && text[0] == '#' && text[1] is '0' && text[2] is >= '0' and <= '3' && text[3] is >= '0' and <= '7')
        {
            length = 4;
            return (char)Math.Max(1, (text[2] - '0') * 8 + text[3] - '0');
        }

        // cat -v; a bell may end a title.
        if (text.Length >= 2 && text[0] == '^' && text[1] is 'M' or '@' or 'I' or 'G' or 'H')
        {
            length = 2;
            return text[1] == '@' ? '\x1' : (char)(text[1] - '@');
        }

        // Sources and JSON: \t before blanks or a bracket, \r or \n at the end.
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
    /// <param name="text">What follows the escape character.</param>
    /// <param name="isGap">True for one that moves the cursor: what follows was printed elsewhere.</param>
    /// <returns>0 for none; -1 for a string, such as a title, whose end has to be looked for.</returns>
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

    /// <summary>The length of a control sequence's parameters and its final letter; 0 where it is none.</summary>
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

    /// <summary>The length of a colour that has lost its ESC, such as <c>[01;31m</c> or, behind another, <c>[K</c>; 0 for none.</summary>
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

        // [m alone might begin a mark; as might [5m and blanks. A mark ends in its bracket before another one opens.
        if (length == 1 && !(isAfterAnother || rest.IsEmpty || rest[0] is ' ' || rest.StartsWith("[K", StringComparison.Ordinal)))
            return 0;
        int bracket = rest.IndexOfAny('[', ']');
        return bracket < 0 || rest[bracket] == '[' ? length + 1 : 0;
    }

    /// <summary>One line while it is being cleaned.</summary>
    private sealed class Cleaning(string line)
    {
        private readonly StringBuilder _clean = new(line.Length);

        /// <summary>Where a string's end was looked for in vain: there is none after that.</summary>
        private int _noEndFrom = int.MaxValue;
        private int _afterSequence = -1;

        public string Run()
        {
            ReadOnlySpan<char> text = line;
            for (int at = 0; at < text.Length;)
                at += Take(text, at);
            return _clean.ToString();
        }

        /// <summary>Takes one character or sequence.</summary>
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

        /// <summary>A title or a link, up to BEL or ESC \ in any of their forms. Without an end, it is taken for text.</summary>
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

            // Another sequence begins before it ends, or the line ends.
            if (end < 0)
                _noEndFrom = Math.Min(_noEndFrom, at);
            _clean.Append(' ');
            return 0;
        }

        /// <summary>Printers made bold and underlined characters by printing over them. Any other backspace is a gap.</summary>
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
