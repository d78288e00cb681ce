using System.Text;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>A file that boot reads.</summary>
/// <param name="Name">Its name, as boot finds it.</param>
/// <param name="Path">Where it is in truth, all links followed.</param>
/// <param name="Status">What it is.</param>
/// <param name="Text">What is in it.</param>
internal sealed record BootFile(string Name, string Path, FileStatus Status, ConfigText Text);

/// <summary>Reads files that boot reads. What is no file, or not for our eyes, is told and passed over; nothing is waited for.</summary>
internal sealed class BootFiles(SystemRoot root, RootFolder folder)
{
    private const string Extension = ".conf";

    private readonly List<string> _problems = [];

    /// <summary>What could not be read, and why: one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>The files of several directories, sorted by name; one hides those of the same name in later directories.</summary>
    /// <param name="directories">The directories, those first that hide others' files.</param>
    /// <param name="takesHidden">Whether files whose name begins with a dot count: they do for sysctl(8) alone.</param>
    /// <remarks>sysctl.d(5), modules-load.d(5). A mask hides likewise, and so does a link that leads nowhere.</remarks>
    public IReadOnlyList<BootFile> InOrder(IEnumerable<string> directories, bool takesHidden = false)
    {
        Dictionary<string, string> byName = [];
        foreach (string directory in directories)
        {
            foreach (string name in Names(directory).Where(name => name.EndsWith(Extension, StringComparison.Ordinal) && (takesHidden || !name.StartsWith('.')) && !name.StartsWith(AtomicFile.TemporaryPrefix, StringComparison.Ordinal)))
                byName.TryAdd(name, System.IO.Path.Combine(directory, name));
        }

        return [.. byName.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => Read(pair.Value)).OfType<BootFile>()];
    }

    /// <summary>One file; null where boot finds none, or we can't read it.</summary>
    public BootFile? Read(string name) => Try(name, null, () =>
    {
        using FilePlace? place = folder.Find(name);
        return place?.Status is { } status && place.Read() is { } bytes
            ? new BootFile(root.In(name), place.Path, status, ConfigText.Parse(bytes))
            : null;
    });

    private IReadOnlyList<string> Names(string directory) => Try(directory, [], () => folder.Names(directory));

    private T Try<T>(string name, T none, Func<T> read)
    {
        try
        {
            return FileChangedException.Again(read);
        }
        catch (UnusableFileException exception) when (exception.IsMask)
        {
            return none;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string file = root.In(name);
            _problems.Add(exception.Message.StartsWith(file, StringComparison.Ordinal)
                ? $"{exception.Message}: it is passed over."
                : $"{file} is passed over: {exception.Message}.");
            return none;
        }
    }
}

/// <summary>The lines of a small text file, each with its end, so that what nobody changes stays byte for byte.</summary>
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

/// <summary>The file of sysctls that ufw sets whenever it starts: <c>sysctl -e -q -p $IPT_SYSCTL</c>, in ufw-init-functions.</summary>
internal static class UfwFile
{
    private const string Defaults = "etc/default/ufw";
    private const string Switch = "etc/ufw/ufw.conf";

    /// <summary>The file, and whether ufw is on; null where it is switched off for sure, or has no such file.</summary>
    public static (BootFile File, bool IsEnabled)? Find(BootFiles boot)
    {
        if (boot.Read(Defaults) is not { } defaults || Value(defaults, "IPT_SYSCTL") is not { Length: > 0 } path)
            return null;
        string? isEnabled = boot.Read(Switch) is { } file ? Value(file, "ENABLED") : null;
        if (isEnabled is "no" or "NO" || boot.Read(path.TrimStart('/')) is not { } settings)
            return null;
        return (settings, isEnabled is "yes" or "YES");
    }

    /// <summary>The last assignment of a shell variable; a plain word, or one in quotes.</summary>
    private static string? Value(BootFile file, string name) => file.Text.Lines
        .Select(line => ConfigText.Content(line).Trim())
        .LastOrDefault(line => line.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..].Split(" #")[0].Trim().Trim('"', '\'');
}
