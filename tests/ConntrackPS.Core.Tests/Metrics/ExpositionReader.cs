using System.Globalization;
using System.Text;

namespace ConntrackPS.Tests.Metrics;

/// <summary>A sample of an exposition.</summary>
internal sealed record ExposedSample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>A family of an exposition, with its metadata.</summary>
internal sealed record ExposedFamily(string Name)
{
    public string? Help { get; set; }

    public string? Type { get; set; }

    public string? Unit { get; set; }

    public List<ExposedSample> Samples { get; } = [];
}

/// <summary>A strict reader of the text format of Prometheus and of OpenMetrics, written from their specifications. Anything that a lenient
/// parser would accept although the specification forbids it is a <see cref="FormatException"/>.</summary>
internal static class ExpositionReader
{
    public static IReadOnlyList<ExposedFamily> Read(string text, bool isOpenMetrics)
    {
        Check(text.EndsWith('\n'), "the last line must end in a line feed");
        List<ExposedFamily> families = [];
        HashSet<string> series = [];
        bool isEnded = false;
        foreach (string line in text[..^1].Split('\n'))
        {
            Check(!isEnded, "nothing may follow # EOF");
            if (line == "# EOF")
            {
                Check(isOpenMetrics, "# EOF is of OpenMetrics");
                isEnded = true;
            }
            else if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                ReadMetadata(line, families, isOpenMetrics);
            }
            else
            {
                ReadSample(line, families, series, isOpenMetrics);
            }
        }

        Check(isEnded == isOpenMetrics, "OpenMetrics ends with # EOF");
        foreach (ExposedFamily family in families)
            Check(family is { Help: not null, Type: not null } && family.Samples.Count > 0, $"{family.Name} lacks HELP, TYPE or samples");
        return families;
    }

    private static void ReadMetadata(string line, List<ExposedFamily> families, bool isOpenMetrics)
    {
        string[] words = line.Split(' ', 4);
        Check(words.Length == 4, $"metadata has a keyword, a name and a value: {line}");
        ExposedFamily? last = families.LastOrDefault();
        if (last?.Name != words[2])
        {
            Check(families.All(family => family.Name != words[2]), $"the family {words[2]} is not together");
            families.Add(last = new ExposedFamily(Name(words[2])));
        }

        Check(last!.Samples.Count == 0, $"metadata after samples: {line}");
        switch (words[1])
        {
            case "HELP" when last.Help is null:
                last.Help = Unescape(words[3], isOpenMetrics);
                break;
            case "TYPE" when last.Type is null:
                Check(words[3] is "gauge" or "counter", $"unknown type: {line}");
                last.Type = words[3];
                break;
            case "UNIT" when isOpenMetrics && last.Unit is null:
                Check(last.Name.EndsWith("_" + words[3], StringComparison.Ordinal), $"the unit must be at the end of the name: {line}");
                last.Unit = words[3];
                break;
            default:
                throw new FormatException($"unexpected metadata: {line}");
        }
    }

    private static void ReadSample(string line, List<ExposedFamily> families, HashSet<string> series, bool isOpenMetrics)
    {
        int end = line.IndexOfAny(['{', ' ']);
        Check(end > 0, $"not a sample: {line}");
        string name = Name(line[..end]);
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        int place = line[end] == '{' ? ReadLabels(line, end + 1, labels) : end;
        Check(line[place] == ' ', $"a space precedes the value: {line}");
        string value = line[(place + 1)..];
        Check(value.Length > 0 && !value.Contains(' ', StringComparison.Ordinal), $"one value, and no time: {line}");
        ExposedFamily family = families.Count > 0 ? families[^1] : throw new FormatException($"a sample before its family: {line}");
        string expected = isOpenMetrics && family.Type == "counter" ? family.Name + "_total" : family.Name;
        Check(name == expected, $"{name} is not of the family {family.Name}");
        Check(family.Type != "counter" || name.EndsWith("_total", StringComparison.Ordinal), $"a counter ends in _total: {line}");
        Check(series.Add($"{name}{{{string.Join(',', labels)}}}"), $"the same series twice: {line}");
        family.Samples.Add(new ExposedSample(name, labels, double.Parse(value, NumberStyles.Float, CultureInfo.InvariantCulture)));
    }

    private static int ReadLabels(string line, int place, SortedDictionary<string, string> labels)
    {
        while (true)
        {
            int equals = line.IndexOf('=', place);
            Check(equals > place && line[equals + 1] == '"', $"a label is a name and a text in quotes: {line}");
            string name = Name(line[place..equals]);
            Check(!name.Contains(':', StringComparison.Ordinal) && !name.StartsWith("__", StringComparison.Ordinal), $"not the name of a label: {name}");
            int end = equals + 2;
            while (line[end] != '"')
                end += line[end] == '\\' ? 2 : 1;
            Check(labels.TryAdd(name, Unescape(line[(equals + 2)..end], escapesQuote: true)), $"a label twice: {line}");
            place = end + 1;
            if (line[place] == '}')
                return place + 1;
            Check(line[place++] == ',', $"a comma separates labels: {line}");
        }
    }

    private static string Name(string name)
    {
        Check(name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or ':'), $"not a name: {name}");
        return name;
    }

    private static string Unescape(string text, bool escapesQuote)
    {
        StringBuilder result = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '"' && escapesQuote)
                throw new FormatException($"a bare quote: {text}");
            _ = text[i] != '\\' ? result.Append(text[i]) : text[++i] switch
            {
                '\\' => result.Append('\\'),
                'n' => result.Append('\n'),
                '"' when escapesQuote => result.Append('"'),
                _ => throw new FormatException($"an unknown escape: {text}"),
            };
        }

        return result.ToString();
    }

    private static void Check(bool isRight, string problem)
    {
        if (!isRight)
            throw new FormatException(problem);
    }
}
