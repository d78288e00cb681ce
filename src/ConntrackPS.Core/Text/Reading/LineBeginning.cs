using System.Buffers;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>The kinds of beginnings of a line.</summary>
internal enum LineKind
{
    /// <summary>Text that conntrack, the kernel and similar programs do not print.</summary>
    Other,

    /// <summary>A connection, an expectation, an event, a counter or a setting.</summary>
    Entry,

    /// <summary>A command line of conntrack(8), or only its options.</summary>
    Command,
}

/// <summary>Finds out from the first words whether a line may be readable.</summary>
internal static class LineBeginning
{
    /// <summary>The maximum length of a protocol's name.</summary>
    private const int LongestName = 15;

    /// <summary>The minimum of a time since 1970. Smaller numbers are seconds since boot.</summary>
    private const int EpochDigits = 9;

    private static readonly SearchValues<char> StateLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    private static readonly string[] Fixed =
    [
        "[NEW]", "[UPDATE]", "[DESTROY]", "<flow", "</flow", "<conntrack>", "</conntrack>", "<?xml", "proto=", "cpu=", "net.netfilter.",
        "net.nf_conntrack", "net.ipv4.netfilter.", "net.ipv4.ip_conntrack", "net.ipv6.nf_conntrack", "WARNING: We have hit ENOBUFS",
    ];

    /// <summary>The fields of entries and expectations.</summary>
    private static readonly string[] Fields =
    [
        "src", "dst", "sport", "dport", "type", "code", "id", "srckey", "dstkey", "packets", "bytes", "mark", "use", "zone", "zone-orig", "zone-reply",
        "secmark", "secctx", "helper", "labels", "delta-time", "mask-src", "mask-dst", "master-src", "master-dst", "class", "timeout", "reply", "protoinfo",
    ];

    private static readonly SearchValues<char> FirstLetters = SearchValues.Create([.. Fixed.Select(text => text[0]).Distinct()]);

    /// <summary>The kind of a text's beginning. Leading blanks are ignored.</summary>
    public static LineKind Of(ReadOnlySpan<char> text)
    {
        text = text.TrimStart();
        if (text.IsEmpty)
            return LineKind.Other;
        switch (text[0])
        {
            case '-':
                return SaveParser.IsCommand(PastedCommand.FirstWord(text)) ? LineKind.Command : LineKind.Other;
            case '[' when IsTime(text[1..]):
                return LineKind.Entry;
            case (>= '0' and <= '9') when IsExpectation(text) || IsCounters(text):
                return LineKind.Entry;
        }

        if (FirstLetters.Contains(text[0]))
        {
            foreach (string beginning in Fixed)
            {
                if (text.StartsWith(beginning, StringComparison.Ordinal))
                    return LineKind.Entry;
            }
        }

        if (!char.IsAsciiLetterLower(text[0]))
            return LineKind.Other;
        if (IsConnection(text))
            return LineKind.Entry;
        return text.StartsWith("conntrack -", StringComparison.Ordinal) || text.StartsWith("sudo conntrack -", StringComparison.Ordinal)
            ? LineKind.Command
            : LineKind.Other;
    }

    /// <summary>True for a field or a mark, with which a line may go on that was wrapped.</summary>
    public static bool BeginsField(ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAny(' ', '\t');
        ReadOnlySpan<char> word = end < 0 ? text : text[..end];
        if (word is "[NEW]" or "[UPDATE]" or "[DESTROY]")
            return false;
        if (word.Length > 3 && word[0] == '[')
            return word[^1] == ']' ? !word[1..^1].ContainsAnyExcept(StateLetters) : word.StartsWith("[start=", StringComparison.Ordinal) || word.StartsWith("[stop=", StringComparison.Ordinal);
        int equals = word.IndexOf('=');
        return equals > 0 && Array.IndexOf(Fields, word[..equals].ToString()) >= 0;
    }

    /// <summary>The index of another entry after the addresses of the first one; 0 if there is none.</summary>
    /// <remarks>Pages and chat programs lose the ends of lines.</remarks>
    public static int SecondEntry(ReadOnlySpan<char> text)
    {
        int at = text.IndexOf("src=", StringComparison.Ordinal);
        if (at < 0)
            return 0;
        for (int blank; (blank = text[at..].IndexOf(' ')) >= 0;)
        {
            at += blank + 1;
            ReadOnlySpan<char> rest = text[at..];
            if (rest.StartsWith("conntrack v", StringComparison.Ordinal))
                return at;
            if (rest.IsEmpty || !(char.IsAsciiLetterLower(rest[0]) || rest[0] == '['))
                continue;
            int end = rest.IndexOf(' ');
            if (end > 0 && (rest[0] == '[' || !rest[..end].Contains('=')) && Of(rest) == LineKind.Entry && rest.Contains("src=", StringComparison.Ordinal))
                return at;
        }

        return 0;
    }

    /// <summary>An address family or a protocol with its number, and the words that may follow.</summary>
    private static bool IsConnection(ReadOnlySpan<char> text)
    {
        TextCursor cursor = new(text[..Math.Min(text.Length, 256)], 0);
        cursor.Read(out ReadOnlySpan<char> word);
        if (word is "ipv4" or "ipv6" or "inet" or "inet6")
        {
            if (!cursor.Read(out ReadOnlySpan<char> family) || family is not ("2" or "10"))
                return false;
            cursor.Read(out word);
        }

        // Open vSwitch: udp,orig=(src=...
        int comma = word.IndexOf(',');
        if (comma > 0 && word[comma..].StartsWith(",orig=(", StringComparison.Ordinal))
            return true;
        if (word.Length > LongestName || !cursor.Read(out ReadOnlySpan<char> number) || !char.IsAsciiDigit(number[0])
            || !TextNumber.TryRead(number, out byte value)
            || !ProtocolNames.TryParsePrinted(word, out IPProtocol? protocol) || (protocol ?? (IPProtocol)value) != (IPProtocol)value)
            return false;
        return !cursor.Read(out ReadOnlySpan<char> next)
            || next[0] == '[' || char.IsAsciiDigit(next[0]) || next.Contains('=') || !next.ContainsAnyExcept(StateLetters);
    }

    /// <summary><c>[1427392756.120001]</c>, or with blanks instead of the last digits.</summary>
    private static bool IsTime(ReadOnlySpan<char> text)
    {
        int digits = Digits(text);
        return digits >= EpochDigits && text.Length > digits && text[digits] is '.' or ']';
    }

    /// <summary><c>133 l3proto = 2 proto=47</c>, <c>30 proto=17</c>.</summary>
    private static bool IsExpectation(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> rest = text[Digits(text)..];
        return rest.Length > 0 && rest[0] is ' ' or '\t' && rest.TrimStart() is var key
            && (key.StartsWith("l3proto", StringComparison.Ordinal) || key.StartsWith("proto=", StringComparison.Ordinal));
    }

    /// <summary>A row of /proc/net/stat/nf_conntrack.</summary>
    private static bool IsCounters(ReadOnlySpan<char> text) =>
        text.Length > 17 && text[8] == ' ' && !ContainsOther(text[..8]) && !ContainsOther(text.Slice(9, 8).Trim());

    private static bool ContainsOther(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (!char.IsAsciiHexDigitLower(c))
                return true;
        }

        return text.Length < 8;
    }

    private static int Digits(ReadOnlySpan<char> text) => text.IndexOfAnyExceptInRange('0', '9') is >= 0 and var other ? other : text.Length;
}
