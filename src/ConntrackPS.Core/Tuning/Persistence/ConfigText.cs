using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>The lines of a small text file, each with its end, so that all other lines stay byte for byte.</summary>
/// <remarks>A line ends at a line feed and nowhere else: a carriage return before it belongs to the line's end, any other to
/// the line. Latin-1 keeps every byte of other people's comments, whatever their encoding.</remarks>
internal sealed class ConfigText(IReadOnlyList<string> lines)
{
    private static readonly char[] Ends = ['\r', '\n'];

    /// <summary>The lines with their ends; only the last may have none.</summary>
    public IReadOnlyList<string> Lines { get; } = lines;

    /// <summary>The end that new lines get: that of the first line.</summary>
    public string LineEnd => Lines is [string first, ..] && first.EndsWith("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";

    /// <summary>Reads a file's bytes; none have no lines.</summary>
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

    /// <summary>A line without its end.</summary>
    public static string Content(string line) => line.TrimEnd(Ends);

    /// <summary>The text with other lines; those without an end get one, but the last if it had none before.</summary>
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

/// <summary>One assignment of a sysctl file.</summary>
/// <param name="Key">The parameter, with dots.</param>
/// <param name="Value">What it is set to.</param>
internal readonly record struct SysctlLine(string Key, string Value)
{
    private const BootReaders Both = BootReaders.Systemd | BootReaders.Procps;

    /// <summary>The parameter as it is spelled there, with dots.</summary>
    public string Spelled { get; private init; } = Key;

    /// <summary>Who takes it for an assignment.</summary>
    public BootReaders Readers { get; private init; } = Both;

    /// <summary>What systemd-sysctl takes for the end of a line; sysctl(8) goes by line feeds alone.</summary>
    private static readonly char[] Ends = ['\r', '\n', '\0'];

    /// <summary>In the C locale, whatever the bytes of a value are in Latin-1.</summary>
    private static readonly char[] Blanks = [' ', '\t', '\r', '\n', '\v', '\f'];

    /// <summary>Reads a line; comments, empty ones and others are no assignment, and neither are those that readers
    /// disagree about (<see cref="Hidden"/>).</summary>
    /// <remarks>sysctl.d(5): a leading minus means that failure does not matter. Blanks behind it are systemd-sysctl's alone, a
    /// second minus is sysctl(8)'s (seen with 252 and 4.0.2).</remarks>
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

    /// <summary>A name behind a minus and without a value: patterns shall leave it alone.</summary>
    public static string? Excluded(string line)
    {
        string text = line.Trim(Blanks);
        return text.StartsWith('-') && !text.Contains('=', StringComparison.Ordinal) && text.IndexOfAny(Ends) < 0
            ? SysctlKey.Spell(text[1..].Trim(Blanks))
            : null;
    }

    /// <summary>Assignments in a line with a carriage return or a zero in it, by which systemd-sysctl divides it (seen with
    /// 252) and sysctl(8) does not (seen with procps 4.0.2).</summary>
    public static IEnumerable<SysctlLine> Hidden(string line)
    {
        string text = line.Trim(Blanks);
        return text.IndexOfAny(Ends) < 0 ? [] : text.Split(Ends).Select(Parse).OfType<SysctlLine>();
    }

    /// <summary>The line as we write it.</summary>
    public override string ToString() => $"{Key} = {Value}";
}

/// <summary>Names of kernel parameters as sysctl(8) writes them.</summary>
internal static class SysctlKey
{
    private const string Prefix = "net.netfilter.";

    /// <summary>Where kernels before 4.19 had the same parameters as well.</summary>
    private const string FormerPrefix = "net.ipv4.netfilter.ip_conntrack_";

    /// <summary>The key of a file below /proc/sys/net/netfilter.</summary>
    public static string Of(string name) => Prefix + name;

    /// <summary>True for a parameter of connection tracking, spelled as <see cref="Normalize"/> does.</summary>
    public static bool IsOfConntrack(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>True for a name that the kernel has given up: a line with it sets nothing.</summary>
    public static bool IsGivenUp(string key) => key.StartsWith(FormerPrefix, StringComparison.Ordinal);

    /// <summary>One spelling for each way through /proc/sys. The first separator says which of the two divides: with
    /// <c>net/netfilter/x</c> a dot belongs to a name, with <c>net.netfilter.x</c> a slash does (sysctl_normalize of systemd,
    /// slashdot of procps).</summary>
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

    /// <summary>One name for each parameter: the maximum has a second one.</summary>
    public static string Normalize(ReadOnlySpan<char> key)
    {
        string dotted = Spell(key);
        return dotted == "net.nf_conntrack_max" ? Of("nf_conntrack_max") : dotted;
    }
}

/// <summary>The size of the hash table among a module's options in a file of modprobe.d.</summary>
/// <remarks>modprobe.d(5), and kmod's source (freadline_wrapped, kmod_config_parse): a backslash at the very end of a line joins
/// the next to it, a comment's too; a comment is a line that begins with #; the kernel gets all the rest of an options line,
/// of all such lines in turn, and the last of two values counts. A dash in a module's name is an underscore.</remarks>
internal static partial class ModuleOptions
{
    private const string Module = "nf_conntrack";

    /// <summary>Sets the size, in the line that has one, else in the module's first, else in a new one.</summary>
    public static ConfigText WithHashSize(ConfigText text, Int128 buckets)
    {
        string option = string.Create(CultureInfo.InvariantCulture, $"hashsize={buckets}");
        List<(string[] Lines, string Joined)> all = [.. Join(text.Lines)];
        int place = all.FindIndex(line => Options(line.Joined) is { } options && HashSize().IsMatch(options.Value));
        if (place < 0)
            place = all.FindIndex(line => Options(line.Joined) is not null);
        List<string> result = [.. all.SelectMany((line, number) => Edit(line.Lines, line.Joined, number == place ? option : null, text.LineEnd))];
        if (place < 0)
            result.Insert(EndOf(all), $"options {Module} {option}" + text.LineEnd);
        return text.With(result);
    }

    /// <summary>The sizes that a file's lines give, with their numbers; null for one that the kernel does not take.</summary>
    public static IEnumerable<(int Line, string? Value)> HashSizes(ConfigText text)
    {
        int number = 1;
        foreach ((string[] lines, string joined) in Join(text.Lines))
        {
            // The kernel knows no comments here.
            if (OptionsLine().Match(joined) is { Success: true } match && IsModule(match.Groups["module"].ValueSpan))
            {
                foreach (Match size in HashSize().Matches(joined[match.Groups["options"].Index..]))
                    yield return (number, GoodSize().Match(size.Value) is { Success: true } good ? good.Groups["value"].Value : null);
            }

            number += lines.Length;
        }
    }

    /// <summary>A module's name as the kernel has it.</summary>
    public static bool IsModule(ReadOnlySpan<char> name) => name.ToString().Replace('-', '_') == Module;

    /// <summary>A line of the module's, with the option in it, or without any; another as it is.</summary>
    private static string[] Edit(string[] lines, string joined, string? option, string lineEnd)
    {
        if (Options(joined) is not { } options)
            return lines;
        string head = joined[..options.Index], comment = joined[(options.Index + options.Length)..];
        bool isPlaced = option is null;
        string changed = HashSize().Replace(options.Value, size =>
        {
            if (isPlaced)
                return "";
            isPlaced = true;
            return size.Groups["blank"].Value + option;
        });
        changed = isPlaced ? changed : $"{changed.TrimEnd()} {option}";

        // The kernel knows no comments here: a size that one tells of would be the last, and count.
        bool isSeen = HashSize().IsMatch(comment);
        string[] apart = isSeen ? [Ended(comment.TrimStart(), lineEnd)] : [];
        string line = isSeen ? head + changed : head + changed + comment;
        if (line == joined)
            return lines;
        return string.IsNullOrWhiteSpace(changed) && (isSeen || string.IsNullOrWhiteSpace(comment)) ? apart : [.. apart, Ended(line, lineEnd)];
    }

    /// <summary>Without a backslash at its end, which would join the next line to it.</summary>
    private static string Ended(string line, string lineEnd) => line.TrimEnd('\\') + lineEnd;

    /// <summary>What follows the module's name, up to what a person takes for a comment; null in a line about something else.</summary>
    private static Group? Options(string joined) =>
        OptionsLine().Match(joined) is { Success: true } match && IsModule(match.Groups["module"].ValueSpan) ? match.Groups["options"] : null;

    /// <summary>Behind the last line, or before it where a backslash would join ours to it.</summary>
    private static int EndOf(List<(string[] Lines, string Joined)> all) =>
        all.Sum(line => line.Lines.Length) - (all is [.., ({ } last, _)] && IsContinued(last[^1], isLast: true) ? all[^1].Lines.Length : 0);

    /// <summary>Lines as kmod sees them, without their ends, and what each was made of.</summary>
    private static IEnumerable<(string[] Lines, string Joined)> Join(IReadOnlyList<string> lines)
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

    /// <summary>A backslash that no other one escapes stands at the end; at the end of the file, the line's end may be missing.</summary>
    private static bool IsContinued(string line, bool isLast)
    {
        string content = line.EndsWith('\n') ? line[..^1] : isLast ? line : "";
        return (content.Length - content.TrimEnd('\\').Length) % 2 == 1;
    }

    [GeneratedRegex(@"^[ \t]*options[ \t]+(?<module>[^ \t]+)(?<options>(\s+[^\s#]\S*)*)(?=\s+#|\s*$)", RegexOptions.ExplicitCapture)]
    private static partial Regex OptionsLine();

    [GeneratedRegex(@"^\s*hashsize=(?<value>\S+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex GoodSize();

    /// <summary>Blanks around the sign are no good to the kernel, and go with the old value.</summary>
    [GeneratedRegex(@"(?<blank>^|\s+)hashsize\s*=(\S+|\s+[^\s=]+(?!\S))?", RegexOptions.ExplicitCapture)]
    private static partial Regex HashSize();
}
