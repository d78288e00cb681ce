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
