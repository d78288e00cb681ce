namespace ConntrackPS.Tuning.Persistence;

/// <summary>What the files of sysctl.d set at boot, all of them: the last assignment wins.</summary>
/// <remarks>sysctl.d(5): files are sorted by name over all directories, and one hides those of the same name in later
/// directories. sysctl(8) reads /etc/sysctl.conf after them; systemd does not, unless a link in sysctl.d names it.</remarks>
internal sealed class PersistedSettings
{
    private readonly List<PersistedValue> _assignments = [];

    private PersistedSettings()
    {
    }

    /// <summary>Reads the files; one that can't be read says nothing.</summary>
    public static PersistedSettings Read(SystemRoot root)
    {
        PersistedSettings settings = new();
        foreach (string file in FilesInOrder(root))
            settings.Add(file);
        return settings;
    }

    /// <summary>What the next boot sets a parameter to; null where no file names it.</summary>
    /// <param name="name">Its file below /proc/sys/net/netfilter; null for none.</param>
    public PersistedValue? Find(string? name) =>
        name is null ? null : _assignments.FindLast(assignment => assignment.Key == SysctlKey.Of(name));

    /// <summary>The assignment of a key that wins, where there is one for sure.</summary>
    public PersistedValue FindKey(string key) => _assignments.FindLast(assignment => assignment.Key == key)!;

    /// <summary>The assignments of a file.</summary>
    public IEnumerable<PersistedValue> In(string file) => _assignments.Where(assignment => assignment.File == file);

    private void Add(string file)
    {
        try
        {
            foreach (string line in File.ReadLines(file))
            {
                if (SysctlLine.Parse(line) is { } assignment)
                    _assignments.Add(new PersistedValue(assignment.Key, assignment.Value, file));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Boot won't read a broken link either; what is not for our eyes stays unknown.
        }
    }

    private static string[] FilesInOrder(SystemRoot root)
    {
        Dictionary<string, string> byName = [];
        foreach (string file in root.SysctlDirectories.Where(Directory.Exists).SelectMany(directory => Directory.EnumerateFiles(directory, "*.conf")))
            byName.TryAdd(Path.GetFileName(file), file);
        string[] files = [.. byName.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value)];
        bool isLinked = files.Any(file => File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName == Path.GetFullPath(root.LastSysctlFile));
        return isLinked || !File.Exists(root.LastSysctlFile) ? files : [.. files, root.LastSysctlFile];
    }
}
