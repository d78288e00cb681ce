using System.Reflection;

namespace ConntrackPS.Fuzzing;

/// <summary>A datagram that a real kernel sent, and where its attributes are.</summary>
/// <param name="Name">The file's name; what stands before the first hyphen tells the kind.</param>
/// <param name="Bytes">The datagram: one message or several.</param>
/// <param name="Attributes">Its attributes, nested ones included, outer ones before inner ones.</param>
internal sealed record CorpusMessage(string Name, byte[] Bytes, IReadOnlyList<CorpusAttribute> Attributes)
{
    private const string Extension = ".hex";

    /// <summary>The whole corpus, in the order of the names, so that a seed means the same everywhere.</summary>
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
