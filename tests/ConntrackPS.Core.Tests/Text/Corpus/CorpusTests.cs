using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text.Corpus;

/// <summary>Texts that people published, each with the approved reading beside it. README.md in this folder says how to add one.</summary>
[Collection(nameof(InUtc))]
public sealed class CorpusTests
{
    /// <summary>Where texts without a year are from.</summary>
    private static readonly DateTime Written = new(2026, 11, 29, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>Values that follow from others.</summary>
    private static readonly HashSet<string> Derived =
    [
        "Age", "Change", "Duration", "EventTimestamp", "Extra", "IsDerived", "Namespace", "Sequence", "StartTimestamp", "StopTimestamp", "TotalBytes", "TotalPackets",
    ];

    public static TheoryData<string> Names => [.. Directory.EnumerateFiles(Folder()).Where(IsText).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Reading_a_published_text_gives_what_was_approved(string name)
    {
        string path = Path.Combine(Folder(), name), approved = path + ".approved", received = path + ".received";
        string reading = Describe(path);
        if (File.Exists(approved) && File.ReadAllText(approved) == reading)
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, reading);
        Assert.Equal(File.Exists(approved) ? File.ReadAllText(approved) : "", reading);
    }

    [Fact]
    public void Each_approved_reading_has_its_text() =>
        Assert.All(Directory.EnumerateFiles(Folder(), "*.approved"), path => Assert.True(File.Exists(path[..^".approved".Length]), path));

    private static bool IsText(string path) => Path.GetExtension(path) is ".txt" or ".xml";

    private static string Folder([CallerFilePath] string self = "") => Path.GetDirectoryName(self)!;

    /// <summary>All that is read, with hidden addresses allowed, then what is refused beside if they are not.</summary>
    private static string Describe(string path)
    {
        StringBuilder text = new();
        List<string> allowed = Read(path, allowMasked: true), strict = Read(path, allowMasked: false);
        text.AppendJoin('\n', allowed).Append('\n');
        if (!allowed.SequenceEqual(strict))
        {
            text.Append("Without AllowMasked:\n");
            text.AppendJoin('\n', strict.Except(allowed)).Append('\n');
        }

        return text.ToString();
    }

    private static List<string> Read(string path, bool allowMasked)
    {
        ConntrackTextReader reader = new(new ConntrackTextOptions { AllowMasked = allowMasked, WrittenAt = Written, Labels = LabelNames.Parse([]) });
        List<string> found = [], skipped = [];
        foreach (string line in File.ReadLines(path))
        {
            long before = reader.SkippedCount;
            reader.Add(line);
            if (reader.SkippedCount > before)
                skipped.Add(reader.LineCount.ToString(CultureInfo.InvariantCulture));
            Take(reader, found);
        }

        reader.Complete();
        Take(reader, found);
        found.Add($"skipped: {(skipped.Count == 0 ? "none" : string.Join(' ', skipped))}");
        return found;
    }

    private static void Take(ConntrackTextReader reader, List<string> found)
    {
        while (reader.TryTake(out ConntrackTextItem? item))
        {
            found.Add(item switch
            {
                ConntrackTextRecord record => Describe(record),
                ConntrackTextProblem problem => string.Create(
                    CultureInfo.InvariantCulture, $"{problem.LineNumber}: refused at column {problem.Column} '{problem.Found}', expected {problem.Expected}"),
                _ => throw new InvalidOperationException(),
            });
        }
    }

    private static string Describe(ConntrackTextRecord record)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{record.LineNumber}");
        if (record.LineCount > 1)
            text.Append(CultureInfo.InvariantCulture, $"-{record.LineNumber + record.LineCount - 1}");
        text.Append(": ").Append(record.Value.GetType().Name);
        IReadOnlyDictionary<string, string>? extra = null;
        foreach (PropertyInfo property in record.Value.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public).OrderBy(p => p.MetadataToken))
        {
            if (property.GetIndexParameters().Length > 0)
                continue;
            object? value = property.GetValue(record.Value);
            if (property.Name == "Extra")
                extra = value as IReadOnlyDictionary<string, string>;
            if (value is not null && !Derived.Contains(property.Name))
                text.Append(' ').Append(property.Name).Append('=').Append(Describe(value));
        }

        if (extra is not null)
            text.Append(" Extra{").AppendJoin("; ", extra.Select(pair => pair.Value.Length == 0 ? pair.Key : pair.Key + "=" + pair.Value)).Append('}');
        if (record.UnknownWords.Count > 0)
            text.Append(" unknown(").AppendJoin(", ", record.UnknownWords).Append(')');
        return text.ToString();
    }

    private static string Describe(object value) => value switch
    {
        DateTime time => time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),
        string word => word.Contains(' ', StringComparison.Ordinal) ? $"\"{word}\"" : word,
        IEnumerable list => string.Join(',', list.Cast<object>()),
        Enum flags => flags.ToString().Replace(", ", "|", StringComparison.Ordinal),
        _ => string.Format(CultureInfo.InvariantCulture, "{0}", value),
    };
}

/// <summary>Makes UTC the local zone, for texts tell local times; so no other test runs meanwhile.</summary>
public sealed class UtcZone : IDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable("TZ");

    public UtcZone() => Set("UTC");

    public void Dispose() => Set(_before);

    private static void Set(string? zone)
    {
        Environment.SetEnvironmentVariable("TZ", zone);
        TimeZoneInfo.ClearCachedData();
    }
}

/// <summary>The tests in which UTC is the local zone.</summary>
[CollectionDefinition(nameof(InUtc), DisableParallelization = true)]
public sealed class InUtc : ICollectionFixture<UtcZone>;
