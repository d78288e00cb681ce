namespace ConntrackPS.Text.Reading;

/// <summary>Recognises lines that describe nothing but may occur between entries: fences and tags of a page, rulers, ellipses, prompts,
/// commands that list, headings of logs, and the totals of conntrack.</summary>
internal static class LineRemark
{
    private const int LongestPrompt = 128;

    /// <summary>Words that authors write in place of omitted lines.</summary>
    private static readonly string[] Elisions =
    [
        "snip", "snipped", "cut", "truncated", "output truncated", "output omitted", "omitted", "lines omitted", "more", "end", "etc", "and so on",
        "more lines", "rest omitted", "output cut", "stripped", "redacted", "cut here", "snap",
    ];

    /// <summary>Programs that print connections, besides conntrack itself.</summary>
    private static readonly string[] Programs =
    [
        "cat", "zcat", "grep", "egrep", "zgrep", "less", "more", "head", "tail", "watch", "awk", "sed", "wc", "sort", "dmesg", "journalctl", "logread",
        "ssh", "ip", "nsenter", "kubectl", "docker", "while", "for", "sysctl", "adb", "show", "run",
    ];

    /// <summary>A part of an entry has at least one of these.</summary>
    private static readonly string[] Signs =
    [
        "src=", "dst=", "sport=", "dport=", "src>", "dst>", "<flow", "flow>", "<meta", "<layer", "[NEW]", "[UPDATE]", "[DESTROY]", "[UNREPLIED]", "[ASSURED]",
        "EXPECTING", "l3proto", "proto=", "orig=(", "reply=(", "cpu=", "net.netfilter.", "(conntrack-tools)", "packets=", "protonum",
    ];

    private static readonly string[] Headings =
    [
        "diff ", "@@ ", "--- ", "+++ ", "-- Logs begin", "-- Journal begins", "-- Boot ", "-- Reboot", "-- No entries", "-- cursor:", "Every ",
        "NOTICE: Netlink socket buffer size", "nf_conntrack version ", "ip_conntrack version ", "nf_conntrack: ", "ip_conntrack: ", "Try `conntrack ",
        "Script started on", "Script done on", "Hint: Some lines were ellipsized", "Binary file ", "WARNING: apt does not", "==> ",

        // conntrack -o labels, if /etc/xtables/connlabel.conf is missing.
        "nfct_labelmap_new: ",
    ];

    /// <summary>True for a line that describes nothing.</summary>
    /// <param name="line">The line, cleaned by <see cref="LineCleaner"/>.</param>
    public static bool IsRemark(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> text = line.Trim();
        if (IsTotal(text) || !HasLetterOrDigit(text))
            return true;
        if (LineBeginning.Of(text) is not LineKind.Other and var kind)
            return kind == LineKind.Command && PastedCommand.IsListing(text);
        return IsComment(text) || IsFence(text) || IsElision(text) || IsHeading(text) || IsCommand(text) || IsField(text);
    }

    /// <summary>True for a line that another program logged, or that an author wrote around an entry in a mail or a comment. No word of it is a
    /// part of an entry.</summary>
    /// <param name="line">The line, cleaned by <see cref="LineCleaner"/>.</param>
    /// <param name="framed">The line without its layers.</param>
    public static bool IsOfOthers(ReadOnlySpan<char> line, in FramedLine framed)
    {
        ReadOnlySpan<char> text = line.Trim();
        if (framed.IsFound)
            return false;
        foreach (string sign in Signs)
        {
            if (text.Contains(sign, StringComparison.Ordinal))
                return false;
        }

        return framed.IsOfLog || text[0] == '>' || IsStarred(text) || IsCaption(text);
    }

    /// <summary>A line of a comment in a source: <c> * text</c>, <c>// text</c>.</summary>
    private static bool IsStarred(ReadOnlySpan<char> text) =>
        text.Length > 2 && ((text[0] == '*' && text[1] == ' ') || (text[0] == '/' && text[1] is '/' or '*'));

    /// <summary>An announcement: <c>Expected output:</c>, also in bold letters.</summary>
    private static bool IsCaption(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> words = text.Trim("*_ ");
        return words.Length > 1 && words[^1] == ':' && words.Contains(' ') && char.IsLetter(words[0]) && !words.Contains('=')
            && !words.Contains("rror", StringComparison.Ordinal) && !words.Contains("ail", StringComparison.Ordinal);
    }

    /// <summary><c>conntrack v1.4.7 (conntrack-tools): 5 flow entries have been shown.</c>, also after the prefix of a log. False for
    /// errors of conntrack, because entries may be missing then.</summary>
    private static bool IsTotal(ReadOnlySpan<char> text)
    {
        int have = text.IndexOf(" have been ", StringComparison.Ordinal);
        if (have < 0)
            have = text.IndexOf(" has been ", StringComparison.Ordinal);
        if (have < 0)
            return false;
        ReadOnlySpan<char> before = text[..have];
        return before.Contains("(conntrack-tools)", StringComparison.Ordinal) || before.Contains("conntrack v", StringComparison.Ordinal)
            || (before.Contains("conntrack: ", StringComparison.Ordinal) && before.EndsWith("flow entries", StringComparison.Ordinal));
    }

    private static bool HasLetterOrDigit(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (char.IsLetterOrDigit(c))
                return true;
        }

        return false;
    }

    /// <summary>A comment that is not an entry after a comment mark. A command in a comment must not be read as an entry.</summary>
    private static bool IsComment(ReadOnlySpan<char> text) =>
        text[0] == '#' && !LineFrame.TryRemove(text, DateTime.UnixEpoch, out _, out _);

    /// <summary>```console, ~~~, or only tags of a page.</summary>
    private static bool IsFence(ReadOnlySpan<char> text)
    {
        while (text.Length > 0 && text[0] is '>' or ' ' or '|')
            text = text[1..];
        if (text.StartsWith("```", StringComparison.Ordinal) || text.StartsWith("~~~", StringComparison.Ordinal))
            return text.TrimStart("`~").IndexOfAny('=', '`', '~') < 0;
        if (!text.StartsWith("<", StringComparison.Ordinal))
            return false;
        int length;
        while ((length = PageText.TagLength(text)) > 0)
            text = text[length..].TrimStart();
        return text.IsEmpty;
    }

    private static bool IsElision(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> words = text.Trim(" \t.[]()<>{}-=*_#:/\u2026\u2702");
        if (words.Length == text.Length || words.Length > 24)
            return false;
        words = words.TrimStart("0123456789 ");
        foreach (string elision in Elisions)
        {
            if (words.Equals(elision, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    private static bool IsHeading(ReadOnlySpan<char> text)
    {
        if (text.StartsWith("total ", StringComparison.Ordinal) && !text[6..].Trim().ContainsAnyExceptInRange('0', '9'))
            return true;
        foreach (string heading in Headings)
        {
            if (text.StartsWith(heading, StringComparison.Ordinal) && !text.Contains("src=", StringComparison.Ordinal))
                return true;
        }

        // Headings of ansible and date(1).
        return text.EndsWith("rc=0 >>", StringComparison.Ordinal)
            || (!text.Contains('=') && LogTime.Read(text, DateTime.UnixEpoch, out _) == text.Length);
    }

    /// <summary>A prompt, alone or with a command that creates and deletes nothing; or the name of a program with the file to
    /// read.</summary>
    private static bool IsCommand(ReadOnlySpan<char> text)
    {
        int prompt = 0;
        if (text.StartsWith("$ ", StringComparison.Ordinal) || text.StartsWith("% ", StringComparison.Ordinal))
            prompt = 1;
        else if (LineFrame.PromptLength(text) is > 0 and <= LongestPrompt and var length)
            prompt = length;
        else if (text.Length > 3 && text[0] is '/' or '~' && text[1] == ' ' && text[2] is '#' or '$')
            prompt = 3;
        ReadOnlySpan<char> command = text[prompt..].TrimStart();
        bool isPlace = prompt > 0 && (text[..prompt].Contains('@') || text[0] is '[' or '$' or '%' or '/' or '~' || text.StartsWith("PS ", StringComparison.Ordinal));
        if (command.IsEmpty)
            return true;
        if (LineBeginning.Of(command) is not LineKind.Other and var kind)
            return kind == LineKind.Command && PastedCommand.IsListing(text);
        if (PastedCommand.IsListing(text))
            return true;
        if (SaveParser.IsCommand(PastedCommand.FirstWord(PastedCommand.OptionsOf(text))))
            return false;
        if (command.StartsWith("sudo ", StringComparison.Ordinal))
            command = command[5..].TrimStart();
        ReadOnlySpan<char> first = PastedCommand.FirstWord(command);
        bool hasEntry = command.Contains("src=", StringComparison.Ordinal);
        if (isPlace && !hasEntry)
            return true;
        if (!command.Contains("conntrack", StringComparison.Ordinal))
            return false;

        // A value that a command sets is not a value that the kernel reported.
        if (first is "echo" && command.Contains("/proc/sys/", StringComparison.Ordinal) && !hasEntry)
            return true;
        foreach (string program in Programs)
        {
            if (first.Equals(program, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    /// <summary>_PID=1 and similar fields, in which journalctl -o export and verbose describe a message.</summary>
    public static bool IsField(ReadOnlySpan<char> text)
    {
        int equals = text.IndexOf('=');
        ReadOnlySpan<char> key = equals > 1 ? text[..equals] : default;

        // "_PID" : "1", of journalctl -o json-pretty.
        if (text[0] == '"' && text.IndexOf("\" : ", StringComparison.Ordinal) is > 1 and var end)
            key = text[1..end];
        return !key.IsEmpty && !key.ContainsAnyExcept(MarkParser.NameLetters)
            && (key[0] == '_' || key is "PRIORITY" || key.StartsWith("SYSLOG_", StringComparison.Ordinal));
    }
}
