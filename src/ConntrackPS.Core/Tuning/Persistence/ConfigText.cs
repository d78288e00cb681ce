using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>The lines of a small text file with their line ends, so that all other lines stay identical.</summary>
/// <remarks>Only a line feed ends a line. A carriage return directly before it is part of the line end, any other is part of the line.
/// Latin-1 preserves every byte of other comments, whatever their encoding.</remarks>
internal sealed class ConfigText(IReadOnlyList<string> lines)
{
    private static readonly char[] Ends = ['\r', '\n'];

    /// <summary>The lines with their line ends. Only the last one may have none.</summary>
    public IReadOnlyList<string> Lines { get; } = lines;

    /// <summary>The line end for new lines: that of the first line.</summary>
    public string LineEnd => Lines is [string first, ..] && first.EndsWith("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";

    /// <summary>Splits a file's bytes into lines. Null has no lines.</summary>
    public static ConfigText Parse(byte[]? bytes)
    {
        string text = Encoding.Latin1.GetString(bytes ?? []);
        List<string> lines = [];
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = text.IndexOf('\n', start) + 1;
            end = end == 0 ? text.Length : end;
            lines.Add(text[start..end]);
        }

        return new ConfigText(lines);
    }

    /// <summary>A line without its line end.</summary>
    public static string Content(string line) => line.TrimEnd(Ends);

    /// <summary>The text with other lines. Lines without a line end get one, except the last one if it had none before.</summary>
    public ConfigText With(IEnumerable<string> lines)
    {
        string[] all = [.. lines];
        string? last = Lines is [.., string line] && !line.EndsWith('\n') ? line : null;
        return new ConfigText([.. all.Select((text, number) =>
            text.EndsWith('\n') || (number == all.Length - 1 && ReferenceEquals(text, last)) ? text : text + LineEnd)]);
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes() => Encoding.Latin1.GetBytes(string.Concat(Lines));
}

/// <summary>One assignment in a sysctl file.</summary>
/// <param name="Key">The parameter, with dots.</param>
/// <param name="Value">The value.</param>
internal readonly record struct SysctlLine(string Key, string Value)
{
    private const BootReaders Both = BootReaders.Systemd | BootReaders.Procps;

    /// <summary>The parameter in the spelling of the file, with dots.</summary>
    public string Spelled { get; private init; } = Key;

    /// <summary>The programs that treat it as an assignment.</summary>
    public BootReaders Readers { get; private init; } = Both;

    /// <summary>The characters that end a line for systemd-sysctl. For sysctl(8) only line feeds do.</summary>
    private static readonly char[] Ends = ['\r', '\n', '\0'];

    /// <summary>The blanks of the C locale, whatever other bytes are in Latin-1.</summary>
    private static readonly char[] Blanks = [' ', '\t', '\r', '\n', '\v', '\f'];

    /// <summary>Parses a line. Returns null for comments, empty lines and other text, and for lines that programs interpret differently
    /// (<see cref="Hidden"/>).</summary>
    /// <remarks>sysctl.d(5): a leading minus means that failures are ignored. Only systemd-sysctl accepts blanks after it, only sysctl(8)
    /// accepts a second minus (verified with 252 and 4.0.2).</remarks>
    public static SysctlLine? Parse(string line)
    {
        string text = line.Trim(Blanks);
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (text.Length == 0 || text[0] is '#' or ';' || equals < 1 || text.IndexOfAny(Ends) >= 0)
            return null;
        string left = text[..equals].TrimEnd(Blanks), name = left.TrimStart('-');
        string key = name.Trim(Blanks);
        int minuses = left.Length - name.Length;
        BootReaders readers = minuses > 1 ? BootReaders.Procps : minuses == 1 && key.Length < name.Length ? BootReaders.Systemd : Both;
        return key.Length == 0 ? null : new SysctlLine(SysctlKey.Normalize(key), text[(equals + 1)..].Trim(Blanks))
        {
            Spelled = SysctlKey.Spell(key),
            Readers = readers,
        };
    }

    /// <summary>A name after a minus and without a value: patterns must not match it.</summary>
    public static string? Excluded(string line)
    {
        string text = line.Trim(Blanks);
        return text.StartsWith('-') && !text.Contains('=', StringComparison.Ordinal) && text.IndexOfAny(Ends) < 0
            ? SysctlKey.Spell(text[1..].Trim(Blanks))
            : null;
    }

    /// <summary>Assignments in a line with a carriage return or a NUL inside. systemd-sysctl splits the line there (verified with 252),
    /// sysctl(8) does not (verified with procps 4.0.2).</summary>
    public static IEnumerable<SysctlLine> Hidden(string line)
    {
        string text = line.Trim(Blanks);
        return text.IndexOfAny(Ends) < 0 ? [] : text.Split(Ends).Select(Parse).OfType<SysctlLine>();
    }

    /// <summary>The line as this library writes it.</summary>
    public override string ToString() => $"{Key} = {Value}";
}

/// <summary>Names of kernel parameters as sysctl(8) writes them.</summary>
internal static class SysctlKey
{
    private const string Prefix = "net.netfilter.";

    /// <summary>The prefix of the same parameters in kernels before 4.19.</summary>
    private const string FormerPrefix = "net.ipv4.netfilter.ip_conntrack_";

    /// <summary>The key of a file below /proc/sys/net/netfilter.</summary>
    public static string Of(string name) => Prefix + name;

    /// <summary>True for a parameter of connection tracking in the spelling of <see cref="Normalize"/>.</summary>
    public static bool IsOfConntrack(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>True for a name that kernels no longer have: a line with it has no effect.</summary>
    public static bool IsGivenUp(string key) => key.StartsWith(FormerPrefix, StringComparison.Ordinal);

    /// <summary>One spelling for each path below /proc/sys. The first separator decides which of the two separates: in
    /// <c>net/netfilter/x</c> a dot is part of a name, in <c>net.netfilter.x</c> a slash is (sysctl_normalize of systemd, slashdot of
    /// procps).</summary>
    public static string Spell(ReadOnlySpan<char> key)
    {
        int first = key.IndexOfAny('.', '/');
        string text = key.ToString();
        if (first >= 0 && text[first] == '/')
            text = string.Create(text.Length, text, (characters, source) =>
            {
                for (int i = 0; i < source.Length; i++)
                    characters[i] = source[i] switch { '/' => '.', '.' => '/', char other => other };
            });
        return text.TrimStart('.');
    }

    /// <summary>One name per parameter: the maximum has two.</summary>
    public static string Normalize(ReadOnlySpan<char> key)
    {
        string dotted = Spell(key);
        return dotted == "net.nf_conntrack_max" ? Of("nf_conntrack_max") : dotted;
    }
}

/// <summary>Options of the module nf_conntrack in a modprobe.d file.</summary>
/// <remarks>modprobe.d(5), and the source of kmod (freadline_wrapped, kmod_config_parse): a backslash at the end of a line joins the next
/// line, also in a comment. A comment is a line that starts with #. The kernel gets the whole rest of an options line, and of all such
/// lines in order. The last of several values counts. A dash in a module name means an underscore.</remarks>
internal static partial class ModuleOptions
{
    private const string Module = "nf_conntrack";

    /// <summary>The option for the size of the hash table.</summary>
    public const string HashSize = "hashsize";

    /// <summary>The option for automatic assignment of helpers, in kernels before 6.0.</summary>
    public const string AutomaticAssignment = "nf_conntrack_helper";

    /// <summary>Sets an option: in the line that has it, otherwise in the module's first line, otherwise in a new line. Null removes
    /// it.</summary>
    public static ConfigText With(ConfigText text, string option, Int128? value)
    {
        string? setting = value is { } number ? string.Create(CultureInfo.InvariantCulture, $"{option}={number}") : null;
        List<(string[] Lines, string Joined)> all = [.. Join(text.Lines)];
        int place = all.FindIndex(line => Options(line.Joined) is { } options && Has(options.Value, option));
        if (place < 0)
            place = all.FindIndex(line => Options(line.Joined) is not null);
        List<string> result = [.. all.SelectMany((line, number) => Edit(line.Lines, line.Joined, option, number == place ? setting : null, text.LineEnd))];
        if (place < 0 && setting is not null)
            result.Insert(EndOf(all), $"options {Module} {setting}" + text.LineEnd);
        return text.With(result);
    }

    /// <summary>The value of an option in a file; the last of several. Null if no line sets it.</summary>
    public static string? Find(ConfigText text, string option) => (
        from line in Join(text.Lines)
        let options = Options(line.Joined)
        where options is not null
        from found in Settings().Matches(options.Value)
        where IsOption(found, option)
        select GoodValue().Match(found.Value) is { Success: true } good ? good.Groups["value"].Value : "").LastOrDefault();

    /// <summary>The sizes in the lines of a file, with line numbers. Null for a value that the kernel does not accept.</summary>
    public static IEnumerable<(int Line, string? Value)> HashSizes(ConfigText text)
    {
        int number = 1;
        foreach ((string[] lines, string joined) in Join(text.Lines))
        {
            // The kernel has no comments here.
            if (OptionsLine().Match(joined) is { Success: true } match && IsModule(match.Groups["module"].ValueSpan))
            {
                foreach (Match size in Settings().Matches(joined[match.Groups["options"].Index..]).Where(found => IsOption(found, HashSize)))
                    yield return (number, GoodValue().Match(size.Value) is { Success: true } good ? good.Groups["value"].Value : null);
            }

            number += lines.Length;
        }
    }

    /// <summary>True for the module's name in any spelling.</summary>
    public static bool IsModule(ReadOnlySpan<char> name) => Normalize(name) == Module;

    /// <summary>A name with underscores, as the kernel compares names of modules and options.</summary>
    public static string Normalize(ReadOnlySpan<char> name) => name.ToString().Replace('-', '_');

    /// <summary>Returns a line of the module with the setting of an option, or without it. Returns other lines unchanged.</summary>
    private static string[] Edit(string[] lines, string joined, string option, string? setting, string lineEnd)
    {
        if (Options(joined) is not { } options)
            return lines;
        string head = joined[..options.Index], comment = joined[(options.Index + options.Length)..];
        bool isPlaced = setting is null;
        string changed = Settings().Replace(options.Value, found =>
        {
            if (!IsOption(found, option))
                return found.Value;
            if (isPlaced)
                return "";
            isPlaced = true;
            return found.Groups["blank"].Value + setting;
        });
        changed = isPlaced ? changed : $"{changed.TrimEnd()} {setting}";

        // The kernel has no comments here: an option in a comment would be the last one, and count.
        bool isSeen = Has(comment, option);
        string[] apart = isSeen ? [Ended(comment.TrimStart(), lineEnd)] : [];
        string line = isSeen ? head + changed : head + changed + comment;
        if (line == joined)
            return lines;
        return string.IsNullOrWhiteSpace(changed) && (isSeen || string.IsNullOrWhiteSpace(comment)) ? apart : [.. apart, Ended(line, lineEnd)];
    }

    private static bool Has(string text, string option) => Settings().Matches(text).Any(found => IsOption(found, option));

    private static bool IsOption(Match found, string option) => Normalize(found.Groups["name"].ValueSpan) == option;

    /// <summary>Removes a backslash at the end, which would join the next line.</summary>
    private static string Ended(string line, string lineEnd) => line.TrimEnd('\\') + lineEnd;

    /// <summary>The text after the module's name, up to what a user would read as a comment. Null in lines for other modules.</summary>
    private static Group? Options(string joined) =>
        OptionsLine().Match(joined) is { Success: true } match && IsModule(match.Groups["module"].ValueSpan) ? match.Groups["options"] : null;

    /// <summary>The index after the last line, or before it if a backslash would join our line to it.</summary>
    private static int EndOf(List<(string[] Lines, string Joined)> all) =>
        all.Sum(line => line.Lines.Length) - (all is [.., ({ } last, _)] && IsContinued(last[^1], isLast: true) ? all[^1].Lines.Length : 0);

    /// <summary>Lines as kmod reads them, without line ends, with the original lines of each.</summary>
    public static IEnumerable<(string[] Lines, string Joined)> Join(IReadOnlyList<string> lines)
    {
        List<string> parts = [];
        foreach (string line in lines)
        {
            parts.Add(line);
            if (IsContinued(line, isLast: false) && !ReferenceEquals(line, lines[^1]))
                continue;
            yield return ([.. parts], string.Concat(parts.Select(part => IsContinued(part, isLast: false) ? part[..^2] : ConfigText.Content(part))));
            parts.Clear();
        }
    }

    /// <summary>True if an unescaped backslash is at the end. At the end of the file the line end may be missing.</summary>
    private static bool IsContinued(string line, bool isLast)
    {
        string content = line.EndsWith('\n') ? line[..^1] : isLast ? line : "";
        return (content.Length - content.TrimEnd('\\').Length) % 2 == 1;
    }

    [GeneratedRegex(@"^[ \t]*options[ \t]+(?<module>[^ \t]+)(?<options>(\s+[^\s#]\S*)*)(?=\s+#|\s*$)", RegexOptions.ExplicitCapture)]
    private static partial Regex OptionsLine();

    [GeneratedRegex(@"^\s*[^\s=]+=(?<value>\S+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex GoodValue();

    /// <summary>The options of this module that are changed. The kernel does not accept blanks around the equals sign, so they are replaced
    /// with the old value.</summary>
    [GeneratedRegex(@"(?<blank>^|\s+)(?<name>hashsize|nf[_-]conntrack[_-]helper)\s*=(\S+|\s+[^\s=]+(?!\S))?", RegexOptions.ExplicitCapture)]
    private static partial Regex Settings();
}
