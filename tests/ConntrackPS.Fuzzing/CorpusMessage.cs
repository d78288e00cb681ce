using System.Reflection;

namespace ConntrackPS.Fuzzing;

/// <summary>A datagram from a real kernel, with the offsets of its attributes.</summary>
/// <param name="Name">The file name. The text before the first hyphen is the kind.</param>
/// <param name="Bytes">The datagram, with one or more messages.</param>
/// <param name="Attributes">Its attributes, including nested ones, outer before inner.</param>
internal sealed record CorpusMessage(string Name, byte[] Bytes, IReadOnlyList<CorpusAttribute> Attributes)
{
    private const string Extension = ".hex";

    /// <summary>The whole corpus, sorted by name, so that a seed has the same result everywhere.</summary>
    public static IReadOnlyList<CorpusMessage> LoadAll() =>
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(name => name.EndsWith(Extension, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Load)];

    private static CorpusMessage Load(string name)
    {
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        IEnumerable<string> lines = reader.ReadToEnd().Split('\n').Where(line => !line.StartsWith('#') && !line.Contains(" = "));
        byte[] bytes = Convert.FromHexString(string.Concat(lines));
        return new CorpusMessage(name[..^Extension.Length], bytes, CorpusAttribute.FindAll(bytes));
    }
}
