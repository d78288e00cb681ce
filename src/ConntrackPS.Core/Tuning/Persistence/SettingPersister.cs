using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Writes what the next boot shall set: one file of ours in sysctl.d, in which the lines of others stay.</summary>
/// <param name="root">The system to write to.</param>
/// <param name="how">What has them written, for the first line of a new file.</param>
internal sealed class SettingPersister(SystemRoot root, string? how = null)
{
    private const string HeaderStart = "# Written by ConntrackPS";
    private const string HeaderEnd = ". Other lines are kept.";
    private const string Module = "nf_conntrack";
    private const string Buckets = "nf_conntrack_buckets";

    private readonly List<string> _problems = [];

    /// <summary>What files that name modules could not be read, and why.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Sets parameters from the next boot on.</summary>
    /// <param name="changes">Files below /proc/sys/net/netfilter, and their values; null takes our line away.</param>
    /// <returns>The files that have changed.</returns>
    /// <exception cref="PersistenceException">Nothing has changed on disk.</exception>
    public IReadOnlyList<string> Persist(params (string Name, Int128? Value)[] changes)
    {
        using RootFolder folder = OpenRoot();
        FileChanges files = new(root, folder);
        files.Add(SystemRoot.SysctlName, text => WithHeader(text, changes.Aggregate(text, Apply)));

        // So that the module comes with its hash table's size, and need not resize it.
        if (changes.FirstOrDefault(change => change.Name == Buckets).Value is { } buckets)
            files.Add(SystemRoot.ModuleOptionsName, text => WithHeader(text, ModuleOptions.WithHashSize(text, buckets)));

        // Boot sets sysctls before netfilter rules load the module: its own would not be there yet, and be passed over.
        if (root.IsModular && changes.Any(change => change.Value is not null) && !IsLoadedAtBoot(folder))
            files.Add(SystemRoot.ModuleLoadName, text => WithHeader(text, text.With([.. text.Lines, Module])));
        return files.Apply();
    }

    private static ConfigText Apply(ConfigText text, (string Name, Int128? Value) change)
    {
        string key = SysctlKey.Of(change.Name);
        List<string> result = [];
        int? place = null;
        foreach (string line in text.Lines)
        {
            if (SysctlLine.Parse(line)?.Key == key)
            {
                place ??= result.Count;
                continue;
            }

            // Ours comes after a line that some readers take for an assignment too, and wins with all of them.
            result.Add(line);
            if (SysctlLine.Hidden(line).Any(hidden => hidden.Key == key))
                place = result.Count;
        }

        if (change.Value is { } value)
            result.Insert(place ?? result.Count, new SysctlLine(key, value.ToString(CultureInfo.InvariantCulture)).ToString());
        return text.With(result);
    }

    private RootFolder OpenRoot()
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("What is written here is read by Linux when it boots.");
        try
        {
            Directory.CreateDirectory(root.Path);
            return RootFolder.TryOpen(root.Path) ?? throw new IOException($"{root.Path} is gone");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new PersistenceException(root.SysctlFile, exception);
        }
    }

    private bool IsLoadedAtBoot(RootFolder folder)
    {
        BootFiles files = new(root, folder);
        bool isLoaded = files.InOrder(SystemRoot.ModuleLoadDirectories).Append(files.Read(SystemRoot.ModulesName)).OfType<BootFile>()
            .SelectMany(file => file.Text.Lines)
            .Any(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [{ } name, ..] && ModuleOptions.IsModule(name));
        _problems.AddRange(files.Problems);
        return isLoaded;
    }

    /// <summary>A file of ours with nothing left in it is deleted; an empty one of somebody else's may be there on purpose.</summary>
    private ConfigText? WithHeader(ConfigText before, ConfigText after)
    {
        if (after.Lines.Any(IsHeader))
            return after.Lines.All(line => IsHeader(line) || string.IsNullOrWhiteSpace(line)) ? null : after;
        return after.Lines.Count == 0 || after.Lines.SequenceEqual(before.Lines) ? after : after.With([HeaderStart + (how is null ? "" : $" ({how})") + HeaderEnd, .. after.Lines]);
    }

    private static bool IsHeader(string line) => ConfigText.Content(line) is { } content
        && content.StartsWith(HeaderStart, StringComparison.Ordinal) && content.EndsWith(HeaderEnd, StringComparison.Ordinal);
}

/// <summary>A file that boot reads could not be written; it is as it was.</summary>
/// <param name="file">The file.</param>
/// <param name="inner">Why.</param>
internal sealed class PersistenceException(string file, Exception inner)
    : Exception($"{file} could not be written, and is as it was: {inner.Message}.", inner)
{
    /// <summary>Some of the files that go with it could not be undone.</summary>
    internal PersistenceException(string file, Exception inner, IReadOnlyList<string> left)
        : this(file, left.Count == 0 ? inner : new IOException($"{inner.Message}. Written before, and not to be undone: {string.Join(", ", left)}", inner))
    {
    }

    /// <summary>The file.</summary>
    public string File { get; } = file;
}
