using System.Reflection;

namespace ConntrackPS.Fuzzing;

/// <summary>Creates damaged lines from those that kernels and conntrack print. The same seed creates the same ones.</summary>
internal sealed class TextMutator(IReadOnlyList<string> lines, int seed)
{
    private const string Extension = ".txt";
    private const string OddCharacters = "0123456789=[]<>-. \0\u00e9\ud800\"'&/\t";

    private readonly Random _random = new(seed);

    /// <summary>The lines of all samples, of every form.</summary>
    public static IReadOnlyList<string> LoadAllLines() =>
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(name => name.EndsWith(Extension, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .SelectMany(Load)];

    /// <summary>The next mutant, one line.</summary>
    public string Next()
    {
        string line = lines[_random.Next(lines.Count)];
        for (int changes = _random.Next(1, 4); changes > 0 && line.Length > 0; changes--)
            line = Change(line, _random.Next(line.Length));
        return line.ReplaceLineEndings(" ");
    }

    private string Change(string line, int at) => _random.Next(7) switch
    {
        0 => $"{line[..at]}{(char)_random.Next(32, 127)}{line[(at + 1)..]}",
        1 => $"{line[..at]}{OddCharacters[_random.Next(OddCharacters.Length)]}{line[(at + 1)..]}",
        2 => $"{line[..at]}{line[Math.Min(line.Length, at + _random.Next(1, 20))..]} ",
        3 => line[..at] + line[_random.Next(line.Length)..],
        4 => line[..at] + new string(line[at], _random.Next(1, 30)) + line[at..],
        5 => line[..at] + _random.NextInt64() + line[at..],
        _ => Splice(line[..at], lines[_random.Next(lines.Count)]),
    };

    private string Splice(string start, string other) => start + other[_random.Next(other.Length + 1)..];

    private static IEnumerable<string> Load(string name)
    {
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return [.. reader.ReadToEnd().Split('\n').Where(line => line.Length > 0 && !line.StartsWith('#'))];
    }
}
