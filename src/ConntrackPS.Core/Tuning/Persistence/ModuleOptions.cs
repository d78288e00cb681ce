using System.Globalization;
using System.Text.RegularExpressions;

namespace ConntrackPS.Tuning.Persistence;

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
