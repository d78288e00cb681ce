namespace ConntrackPS.Text;

/// <summary>Command lines of conntrack as they stand in scripts and terminals: <c>conntrack -I ...</c>, behind a prompt, sudo or
/// a path, all of which may be missing.</summary>
internal static class PastedCommand
{
    private const string Program = "conntrack";
    private const string Sudo = "sudo";
    private const string PromptEnds = "#$%>";

    /// <summary>What follows the program's name: its first option and the rest.</summary>
    /// <returns>The line itself where it begins with an option, as <c>conntrack -o save</c> prints it; empty for a line that is
    /// none.</returns>
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

    /// <summary>True for a command that lists, counts or empties a table: its output may follow, but it is no entry.</summary>
    public static bool IsListing(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> options = OptionsOf(line);
        return options.Length > 1 && options.Length < line.TrimStart().Length && FirstWord(options) is "-L" or "-G" or "-E" or "-F" or "-C" or "-S"
            or "--dump" or "--get" or "--event" or "--flush" or "--count" or "--stats";
    }

    public static ReadOnlySpan<char> FirstWord(ReadOnlySpan<char> text) => text.IndexOfAny(' ', '\t') is > 0 and int end ? text[..end] : text;

    /// <summary>True for what may stand before the program's name.</summary>
    private static bool IsPrompt(ReadOnlySpan<char> text)
    {
        // The path that the program has, up to its last slash.
        if (text.Length > 0 && text[^1] == '/')
            text = text[..(text.LastIndexOfAny(' ', '\t') + 1)];
        if (text.Length > 0 && text[^1] is not (' ' or '\t'))
            return false;
        text = text.TrimEnd();
        if (text.EndsWith(Sudo) && (text.Length == Sudo.Length || text[^(Sudo.Length + 1)] is ' ' or '\t'))
            text = text[..^Sudo.Length].TrimEnd();
        return text.IsEmpty || PromptEnds.Contains(text[^1]);
    }
}
