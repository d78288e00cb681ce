using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a line of <c>conntrack -o save</c>, or of a file for <c>conntrack -R</c>.</summary>
/// <remarks>Options of conntrack(8), as ct_save_snprintf of conntrack-tools prints them and do_parse reads them. -r and -q give the reply's
/// addresses, and -g and -n give addresses that translation produces.</remarks>
internal sealed class SaveParser(EntryDraft draft, TextContext context)
{
    private readonly SaveOptions _options = new(draft, context);

    public static bool IsCommand(ReadOnlySpan<char> word) => word is "-A" or "-I" or "-U" or "-D" or "--add" or "--create" or "--update" or "--delete";

    /// <summary>Reads a line into the draft.</summary>
    /// <returns>The expected form of the word at the cursor; null if the line was read.</returns>
    public string? Parse(ref TextCursor cursor)
    {
        _options.Begin();
        cursor.ReadArgument(out ReadOnlySpan<char> command);
        draft.EventType = command is "-U" or "--update" ? ConntrackEventType.Update
            : command is "-D" or "--delete" ? ConntrackEventType.Destroy : null;
        bool isFirst = true;
        while (cursor.ReadArgument(out ReadOnlySpan<char> word))
        {
            if (!(isFirst && word is "conntrack") && ReadOption(word, ref cursor) is { } expected)
                return expected;
            isFirst = false;
        }

        // conntrack -E prints -A for a new entry; a file for conntrack -R has it for any.
        if (draft.EventType is null && draft.IsEvent)
            draft.EventType = ConntrackEventType.New;
        return _options.Complete();
    }

    private string? ReadOption(ReadOnlySpan<char> word, ref TextCursor cursor)
    {
        // Words that -E appends are not options. conntrack -R ignores them, too.
        if (word is "[USERSPACE]" || (draft.IsEvent && word.StartsWith("progname=")))
        {
            draft.IsEvent = true;
            if (word[0] != '[')
                draft.AddKnownExtra("progname", word["progname=".Length..].ToString() + cursor.ReadUntil("\n").ToString());
            return null;
        }

        if (word.StartsWith("portid="))
        {
            return TextNumber.TryRead(word[7..], out uint port) && draft.SetPortId(port)
                ? null
                : "a number after portid=";
        }

        if (word.Length < 2 || word[0] != '-')
            return "an option such as -s";
        if (word[1] != '-' && word.Length > 2)
            return _options.Read(word[..2], word[2..]);
        if (word[1] == '-' && word.IndexOf('=') is > 0 and int equals)
            return _options.Read(word[..equals], word[(equals + 1)..]);
        return cursor.ReadArgument(out ReadOnlySpan<char> value) ? _options.Read(word, value) : "the option's value";
    }
}

/// <summary>Command lines of conntrack, as scripts and terminals contain them: <c>conntrack -I ...</c>, after a prompt, sudo or a path, all
/// of which may be missing.</summary>
internal static class PastedCommand
{
    private const string Program = "conntrack";
    private const string Sudo = "sudo";
    private const string PromptEnds = "#$%>";

    /// <summary>The text after the name of the program: its first option and the rest.</summary>
    /// <returns>The line itself if it begins with an option, as <c>conntrack -o save</c> prints it; empty if the line is not a
    /// command.</returns>
    public static ReadOnlySpan<char> OptionsOf(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> text = line.TrimStart();
        if (text.Length > 0 && text[0] == '-')
            return text;
        int at = text.IndexOf(Program);
        if (at < 0)
            return default;
        ReadOnlySpan<char> options = text[(at + Program.Length)..];
        return options.Length > 0 && options[0] is ' ' or '\t' && options.TrimStart() is ['-', ..] rest && IsPrompt(text[..at]) ? rest : default;
    }

    /// <summary>True for a command that lists, counts or empties a table. Its output may follow, but the command is not an entry.</summary>
    public static bool IsListing(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> options = OptionsOf(line);
        return options.Length > 1 && options.Length < line.TrimStart().Length && FirstWord(options).TrimEnd(";|&") is "-L" or "-G" or "-E" or "-F" or "-C" or "-S"
            or "--dump" or "--get" or "--event" or "--flush" or "--count" or "--stats";
    }

    public static ReadOnlySpan<char> FirstWord(ReadOnlySpan<char> text) => text.IndexOfAny(' ', '\t') is > 0 and int end ? text[..end] : text;

    /// <summary>True for words that may precede the name of the program.</summary>
    private static bool IsPrompt(ReadOnlySpan<char> text)
    {
        // The path of the program, up to its last slash.
        if (text.Length > 0 && text[^1] == '/')
            text = text[..(text.LastIndexOfAny(' ', '\t') + 1)];
        if (text.Length > 0 && text[^1] is not (' ' or '\t') && !PromptEnds.Contains(text[^1]))
            return false;
        text = text.TrimEnd();
        if (text.EndsWith(Sudo) && (text.Length == Sudo.Length || text[^(Sudo.Length + 1)] is ' ' or '\t' || PromptEnds.Contains(text[^(Sudo.Length + 1)])))
            text = text[..^Sudo.Length].TrimEnd();
        return text.IsEmpty || PromptEnds.Contains(text[^1]);
    }
}
