using System.Buffers;

namespace ConntrackPS.Text.Reading;

/// <summary>Removes the text that a terminal, an editor, a log, a mail program or a page adds before and after a line.</summary>
/// <remarks>It removes one layer after the other, until an entry, an event or a command begins (<see cref="LineBeginning"/>). If none
/// begins, the line is left unchanged, so that prose is not read as an entry.</remarks>
internal static class LineFrame
{
    private const int LongestWord = 256;
    private const int MostLayers = 64;
    private const int MostLayersBehind = 16;

    /// <summary>Host, program, process and similar words after the time of a log.</summary>
    private const int MostLogWords = 6;

    /// <summary>Marks of quotations, lists, tables, trees, comments and source code.</summary>
    private static readonly SearchValues<char> Marks = SearchValues.Create(
        "|>*+-#%$~;!,(){}]:=&@/\\.\u2022\u00B7\u2023\u25E6\u25AA\u2013\u2014\u2192\u2500\u2502\u2503\u2514\u251C\u2551\u00BB\u203A\u00A6");

    private static readonly SearchValues<char> QuoteMarks = SearchValues.Create(">|*#/+;%\u2502\u2503\u2551\u00BB\u203A");
    private static readonly SearchValues<char> Quotes = SearchValues.Create("\"'`\u201C\u201D\u2018\u2019\u201E");
    private static readonly SearchValues<char> SinceStart = SearchValues.Create(" .0123456789");
    private static readonly SearchValues<char> Blanks = SearchValues.Create(" \t");
    private static readonly SearchValues<char> Capitals = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

    private static readonly string[] Levels = ["INFO", "WARN", "WARNING", "ERROR", "DEBUG", "NOTICE", "TRACE", "CRITICAL", "FATAL", "INF", "WRN", "ERR", "DBG", "CRIT", "ALERT", "EMERG"];
    private static readonly string[] ShellWords = ["echo", "printf", "logger", "print"];

    /// <summary>Keys of logfmt and of journald's export whose values don't describe the entry.</summary>
    private static readonly string[] LogKeys =
    [
        "time", "ts", "t", "timestamp", "date", "level", "lvl", "logger", "caller", "source", "component", "host", "hostname", "app", "module", "stream",
    ];

    private static readonly string[] MessageKeys = ["MESSAGE", "msg", "message", "log", "line", "text"];

    /// <summary>Removes all layers.</summary>
    /// <param name="line">The line, cleaned by <see cref="LineCleaner"/>.</param>
    /// <param name="reference">The time of reading the line. Times without a year are at most a day later.</param>
    /// <param name="content">The text inside the layers.</param>
    /// <param name="time">The local time of the outermost log that has a date; null if there is none.</param>
    /// <returns>False if there are no layers, or nothing readable inside.</returns>
    public static bool TryRemove(ReadOnlySpan<char> line, DateTime reference, out ReadOnlySpan<char> content, out DateTime? time)
    {
        FramedLine framed = Remove(line, reference);
        content = framed.Content;
        time = framed.Time;
        return framed.IsFound;
    }

    /// <summary>Removes all layers, and describes them.</summary>
    /// <param name="line">The line, cleaned by <see cref="LineCleaner"/>.</param>
    /// <param name="reference">When the line was read; times without a year are not more than a day later.</param>
    public static FramedLine Remove(ReadOnlySpan<char> line, DateTime reference)
    {
        DateTime? time;
        ReadOnlySpan<char> text = line.Trim();
        int length = text.Length;
        if (PageText.TryDecode(text, out string? decoded))
        {
            text = decoded.AsSpan().Trim();
            length = -1;
        }

        if (LogRecord.TryRead(text, reference, out string? message, out time))
        {
            // Twice is enough: a record of Docker may contain one of journald.
            LogRecord.TryRead(message.AsSpan().Trim(), reference, out string? inner, out DateTime? innerTime);
            text = (inner ?? message).AsSpan().Trim();
            (length, time) = (-1, time ?? innerTime);
        }

        Front front = new(text, reference, time);
        bool isFound = front.TryRemove(isContinuation: false);
        ReadOnlySpan<char> content = isFound ? RemoveBehind(front.Content, front.Quote) : default;
        return new FramedLine
        {
            IsFound = isFound && (content.Length != length || front.Time is not null),
            Content = content,
            Time = front.Time,
            Quote = front.Quote,
            IsComment = front.IsComment,
            IsOfLog = front.IsInLog || front.Time is not null,
        };
    }

    /// <summary>Takes the layers from a line that may continue another one. Numbers alone stay, for a port may be wrapped.</summary>
    /// <param name="line">The line, cleaned by <see cref="LineCleaner"/>.</param>
    /// <param name="reference">When the line was read.</param>
    /// <param name="quote">The quotation mark that the first line has opened; NUL if there is none.</param>
    /// <returns>The line itself if there is no layer.</returns>
    public static ReadOnlySpan<char> ContinuationOf(ReadOnlySpan<char> line, DateTime reference, char quote)
    {
        ReadOnlySpan<char> text = line.Trim();
        Front front = new(text, reference, null);
        ReadOnlySpan<char> content = front.TryRemove(isContinuation: true) ? front.Content : WithoutQuote(text);
        return content.Length < text.Length || quote != '\0' ? RemoveBehind(content, front.Quote == '\0' ? quote : front.Quote) : text;
    }

    /// <summary>Removes only marks of quotations and comments, for lines that continue another line.</summary>
    public static ReadOnlySpan<char> WithoutQuote(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> text = line.Trim();
        while (text.Length > 0 && (text[0] is '>' or '|' or '\u2502'
            || (text[0] is '+' or '#' or '*' or '/' && (text.Length == 1 || text[1] is ' ' or '\t' or '/' or '#' or '*'))))
            text = text[1..].TrimStart();
        return text.TrimEnd('|').TrimEnd();
    }

    private static ReadOnlySpan<char> RemoveBehind(ReadOnlySpan<char> content, char quote)
    {
        ReadOnlySpan<char> text = content.TrimEnd();
        if (quote != '\0' && text.LastIndexOf(quote) is > 0 and var end && !text[end..].Contains("src=", StringComparison.Ordinal))
            text = text[..end];
        bool isCommand = LineBeginning.Of(text) == LineKind.Command;
        for (int layer = 0; layer < MostLayersBehind; layer++)
        {
            text = text.TrimEnd();
            int before = text.Length;
            text = RemoveComment(text, isCommand);
            if (text.EndsWith("\\n", StringComparison.Ordinal) || text.EndsWith("\\r", StringComparison.Ordinal))
                text = text[..^2];
            else if (text.Length > 1 && text[^1] is '|' or '`' or '\u2502' or '\u2503' or '\u2551' or '*')
                text = text[..^1];
            else if (text.Length > 1 && text[^1] is '$' or ',' or ';' or '"' or '\'' && (char.IsAsciiDigit(text[^2]) || text[^2] is ']' or '\\'))
                text = text[..^1];
            else if (text.EndsWith(" ...", StringComparison.Ordinal) || text.EndsWith(" [...]", StringComparison.Ordinal))
                text = text[..text.LastIndexOf(' ')];
            else if (text.EndsWith(" \u2026", StringComparison.Ordinal))
                text = text[..^2];
            else if (text.Length > 1 && text[^1] == '>' && PageText.TagBehind(text) is > 0 and var tag)
                text = text[..^tag];
            if (text.Length == before)
                break;
        }

        return text.TrimEnd();
    }

    /// <summary>Cuts off notes after an entry: # and // comments, arrows.</summary>
    private static ReadOnlySpan<char> RemoveComment(ReadOnlySpan<char> text, bool isCommand)
    {
        for (int at = 0; at < text.Length;)
        {
            int blank = text[at..].IndexOfAny(Blanks);
            if (blank < 0)
                break;
            at += blank + 1;
            ReadOnlySpan<char> rest = text[at..];
            if (rest.IsEmpty)
                break;
            switch (rest[0])
            {
                case '#':
                case '/' when rest.Length > 1 && rest[1] is '/' or '*':
                case '<' when !isCommand && rest.Length > 1 && rest[1] is '-' or '=' or '<' or '!' or ' ':
                case '-' when !isCommand && rest.Length > 2 && rest[1] == '-' && rest[2] is ' ' or '>':
                case '\u2190' or '\u21D0' or '\u2B05':
                    return text[..(at - 1)];
            }
        }

        return text;
    }

    /// <summary>Moves over the layers before an entry.</summary>
    private ref struct Front(ReadOnlySpan<char> text, DateTime reference, DateTime? time)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private int _at;
        private bool _isContinuation;
        private bool _isInLog;
        private bool _isComment;
        private int _words;

        public DateTime? Time { get; private set; } = time;

        /// <summary>The quotation mark before the entry; NUL if there is none.</summary>
        public char Quote { get; private set; }

        public readonly ReadOnlySpan<char> Content => _text[_at..];

        private readonly ReadOnlySpan<char> Rest => _text[_at..];

        /// <summary>True after a log's time or priority.</summary>
        public readonly bool IsInLog => _isInLog;

        /// <summary>True after a mark of comments.</summary>
        public readonly bool IsComment => _isComment;

        /// <param name="isContinuation">True to look for a field or a mark, not for the beginning of an entry.</param>
        public bool TryRemove(bool isContinuation)
        {
            _isContinuation = isContinuation;
            for (int layers = 0; layers <= MostLayers; layers++)
            {
                while (_at < _text.Length && _text[_at] is ' ' or '\t')
                    _at++;
                if (_at == _text.Length)
                    return false;
                if (isContinuation && (LineBeginning.BeginsField(Rest) || (!_isInLog && char.IsAsciiDigit(Rest[0]))))
                    return LineBeginning.BeginsField(Rest);
                LineKind kind = LineBeginning.Of(Rest);

                // An entry of its own continues no other.
                if (isContinuation && kind != LineKind.Other)
                    return false;

                // A command in a comment must not be read as an entry.
                if (kind == LineKind.Entry || (kind == LineKind.Command && !_isComment))
                    return true;
                if (kind == LineKind.Command)
                    return false;
                int length = Layer();
                if (length == 0)
                    return false;
                _at += length;
            }

            return false;
        }

        private int Layer()
        {
            char c = Rest[0];
            if (TimeLength() is > 0 and var clock)
                return clock;
            if (char.IsAsciiDigit(c) && NumberLength(Rest) is > 0 and var number)
                return number;
            if (c == '[' && BlockLength() is > 0 and var block)
                return block;
            if (c == '<')
                return Rest.StartsWith("<!--", StringComparison.Ordinal) ? 4 : PriorityLength() is > 0 and var priority ? priority : PageText.TagLength(Rest);
            if (PromptLength(Rest) is > 0 and var prompt)
                return prompt;
            if (WordLength() is > 0 and var word)
                return word;
            if (Quotes.Contains(c))
            {
                if (RecordKeyLength(Rest[..Math.Min(Rest.Length, LongestWord)]) is > 0 and var key)
                    return key;
                Quote = c;
                return 1;
            }

            // The name that grep gives to its input.
            const string Input = "(standard input)";
            if (c == '(' && Rest.StartsWith(Input, StringComparison.Ordinal))
                return Input.Length;

            // Half a line of /proc/net/nf_conntrack_expect: l3proto = 2 proto=6.
            if (c == '=' && Rest.Length > 4 && Rest[1] == ' ' && Rest[2..].TrimStart("0123456789").StartsWith(" proto=", StringComparison.Ordinal))
                return 0;
            _isComment |= c is '#' or ';' or '%' || (c == '/' && Rest.Length > 1 && Rest[1] is '/' or '*');
            return Marks.Contains(c) && (!_isContinuation || IsQuoteMark()) ? 1 : 0;
        }

        /// <summary>True for a mark before a complete line. Others may be the rest of a word that was wrapped.</summary>
        private readonly bool IsQuoteMark() =>
            QuoteMarks.Contains(Rest[0]) && (Rest.Length == 1 || Rest[1] is ' ' or '\t' || QuoteMarks.Contains(Rest[1]) || Quotes.Contains(Rest[1]));

        private int TimeLength()
        {
            int open = Rest[0] is '[' or '(' or '"' ? 1 : 0;
            int length = LogTime.Read(Rest[open..], reference, out DateTime? read);
            if (length == 0)
                return 0;
            length += open;
            if (open > 0 && length < Rest.Length && Rest[length] is ']' or ')' or '"')
                length++;
            Time ??= read;
            (_isInLog, _words) = (true, 0);
            return length;
        }

        /// <summary>[ 123.456] of dmesg, [info], [pod/name], [root@gw ~]$; after a time also [id key="value"] of RFC 5424.</summary>
        private int BlockLength()
        {
            ReadOnlySpan<char> rest = Rest[..Math.Min(Rest.Length, LongestWord)];
            int end = rest.IndexOf(']');
            if (end < 2)
                return 0;
            ReadOnlySpan<char> inner = rest[1..end];
            _isInLog |= !inner.ContainsAnyExcept(SinceStart);

            // Words in brackets of an entry are not part of a log.
            if (inner is "UNREPLIED" or "ASSURED" or "OFFLOAD" or "HW_OFFLOAD" or "USERSPACE")
                return 0;
            if (_isInLog)
                return end + 1;

            // A vendor's status word before an entry is part of the entry.
            bool isMark = inner.Length > 3 && !inner.ContainsAnyExcept(Capitals) && !IsOneOf(Levels, inner);
            return inner.ContainsAny('=', '[') || isMark ? 0 : end + 1;
        }

        /// <summary>&lt;134&gt;, with the version of RFC 5424 after it.</summary>
        private int PriorityLength()
        {
            int digits = Rest[1..].IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 3 || Rest[digits + 1] != '>')
                return 0;
            _isInLog = true;
            int length = digits + 2;
            return Rest.Length > length + 1 && Rest[length] == '1' && Rest[length + 1] == ' ' ? length + 2 : length;
        }

        private int WordLength()
        {
            ReadOnlySpan<char> rest = Rest[..Math.Min(Rest.Length, LongestWord)];
            int blank = rest.IndexOfAny(Blanks);
            ReadOnlySpan<char> word = blank < 0 ? rest : rest[..blank];
            if (word.Length == 1 && Marks.Contains(word[0]))
                return _isInLog ? 1 : 0;
            if (!(char.IsLetterOrDigit(word[0]) || word[0] is '/' or '.' or '_' or '~' or '*'))
                return 0;
            int key = word.IndexOf('=');
            if (key > 0)
                return KeyLength(rest, key);
            if (word.IndexOfAny(Quotes) is >= 0 and var quote)
                return quote > 0 && Marks.Contains(word[quote - 1]) ? quote : 0;
            if (word.IndexOf(':') is > 0 and var colon && CountedLength(word[..colon]) == 0)
                return colon + 1;
            if (CountedLength(word) is > 0 and var counted)
                return counted;
            int bracket = word.IndexOf('[');
            ReadOnlySpan<char> level = bracket > 0 ? word[..bracket] : word[(word.IndexOf('.') + 1)..];
            if (IsOneOf(Levels, level))
            {
                // kern.info
                _isInLog |= level.Length < word.Length && bracket < 0;
                return word.Length;
            }

            // docker compose: name  | line
            if (blank > 0 && rest[blank..].TrimStart() is ['|', ' ', ..])
                return word.Length;
            if (_isInLog && blank > 0 && _words++ < MostLogWords)
                return word.Length;
            return IsOneOf(ShellWords, word) ? word.Length : SourceLength(rest);
        }

        /// <summary>MESSAGE= and msg=, or the keys before them.</summary>
        private int KeyLength(ReadOnlySpan<char> rest, int key)
        {
            if (IsOneOf(MessageKeys, rest[..key]))
                return key + 1;
            if (!IsOneOf(LogKeys, rest[..key]))
                return SourceLength(rest);
            ReadOnlySpan<char> value = rest[(key + 1)..];
            bool isQuoted = value.Length > 0 && value[0] == '"';
            int clock = LogTime.Read(isQuoted ? value[1..] : value, reference, out DateTime? read);
            if (clock > 0)
                (Time, _isInLog) = (Time ?? read, _isInLog || _isContinuation);

            // The rest of dst= is t=.
            else if (_isContinuation && !_isInLog)
                return 0;
            int end = isQuoted ? value[1..].IndexOf('"') + 2 : value.IndexOfAny(Blanks);
            return end > 1 ? key + 1 + end : 0;
        }

        /// <summary>"MESSAGE" : of journalctl -o json-pretty.</summary>
        private static int RecordKeyLength(ReadOnlySpan<char> rest)
        {
            int end = rest[1..].IndexOf('"') + 1;
            if (rest[0] != '"' || end < 2 || !IsOneOf(MessageKeys, rest[1..end]))
                return 0;
            int colon = rest[end..].IndexOf(':');
            return colon > 0 && rest.Slice(end + 1, colon - 1).Trim().IsEmpty ? end + colon + 1 : 0;
        }

        /// <summary>name-12- of grep -A.</summary>
        private static int CountedLength(ReadOnlySpan<char> word)
        {
            for (int at = word.IndexOf('-'); at > 0 && at < word.Length - 2;)
            {
                int digits = word[(at + 1)..].IndexOfAnyExceptInRange('0', '9');
                if (digits > 0 && word[at + 1 + digits] == '-')
                    return at + digits + 2;
                int next = word[(at + 1)..].IndexOf('-');
                at = next < 0 ? -1 : at + 1 + next;
            }

            return 0;
        }

        /// <summary>The part of a line of source code up to the quotation mark: line := "..., parse("....</summary>
        private static int SourceLength(ReadOnlySpan<char> rest)
        {
            int quote = rest.IndexOfAny('"', '\'', '`');
            return quote > 0 && rest[..quote].TrimEnd() is [.., '=' or '(' or '{' or '[' or ',' or ':' or '&'] && LineBeginning.Of(rest[(quote + 1)..]) != LineKind.Other
                ? quote
                : 0;
        }

        /// <summary>12: of grep -n, 3 of nl and awk, 1. of a list.</summary>
        private static int NumberLength(ReadOnlySpan<char> text)
        {
            int digits = text.IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 9)
                return 0;
            return text[digits] switch
            {
                ' ' or '\t' => digits,
                ':' or '-' or ')' or '.' or '|' or ']' or '#' or '+' or ',' or '\u2502' => digits + 1,
                _ => 0,
            };
        }
    }

    /// <summary>The length of a shell's prompt: root@OpenWrt:~# , [root@gw ~]# , PS C:\&gt; , bash-5.1$ .</summary>
    internal static int PromptLength(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> rest = text[..Math.Min(text.Length, LongestWord)];
        int from = 0;
        if (rest[0] == '[' && rest.IndexOf(']') is > 0 and var bracket && rest[..bracket].Contains('@'))
            from = bracket + 1;
        int blank = rest[from..].IndexOfAny(Blanks);
        ReadOnlySpan<char> word = blank < 0 ? rest[from..] : rest.Slice(from, blank);
        bool isPlace = from > 0 || word.Contains('@') || rest.StartsWith("PS ", StringComparison.Ordinal);
        if (!isPlace)
            return word.Length > 1 && word[^1] is '#' or '$' or '%' or '>' && !word.Contains('=') && !word.Contains('<')
                && (char.IsAsciiLetterOrDigit(word[^2]) || word[^2] is '~' or '/' or '\\' or ']' or ':' or ')')
                ? word.Length : 0;
        for (int at = from; at < rest.Length; at++)
        {
            if (rest[at] is '#' or '$' or '%' or '>' && (at + 1 == rest.Length || rest[at + 1] is ' ' or '\t'))
                return at + 1;
            if (rest[at] is '=' or '"')
                return 0;
        }

        return 0;
    }

    private static bool IsOneOf(string[] names, ReadOnlySpan<char> word)
    {
        word = word.TrimEnd(':');
        foreach (string name in names)
        {
            if (word.Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}

/// <summary>A line and what surrounded it.</summary>
internal readonly ref struct FramedLine
{
    /// <summary>True if something was removed and the rest can be read.</summary>
    public bool IsFound { get; init; }

    /// <summary>The remaining text; empty if there is none.</summary>
    public ReadOnlySpan<char> Content { get; init; }

    /// <summary>The time of the outermost log that has a date; null if there is none. It is local.</summary>
    public DateTime? Time { get; init; }

    /// <summary>The quotation mark before it; NUL if there is none.</summary>
    public char Quote { get; init; }

    /// <summary>True after a mark of comments.</summary>
    public bool IsComment { get; init; }

    /// <summary>True after a log's time or priority, also if nothing that follows can be read.</summary>
    public bool IsOfLog { get; init; }
}
