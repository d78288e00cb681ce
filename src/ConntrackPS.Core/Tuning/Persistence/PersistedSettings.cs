using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>What the files of sysctl.d set at boot, all of them: the last assignment wins.</summary>
/// <remarks>sysctl.d(5): files are sorted by name over all directories, and one hides those of the same name in later
/// directories. sysctl(8) reads /etc/sysctl.conf after them; systemd does not, unless a link in sysctl.d names it.</remarks>
internal sealed class PersistedSettings
{
    private readonly List<PersistedValue> _assignments = [];
    private readonly List<string> _problems = [];
    private readonly Dictionary<string, BootFile> _files = [];

    private PersistedSettings()
    {
    }

    /// <summary>What could not be read, or is read in two ways: one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Reads the files; one that can't be read says nothing but in <see cref="Problems"/>.</summary>
    public static PersistedSettings Read(SystemRoot root)
    {
        PersistedSettings settings = new();
        if (!OperatingSystem.IsLinux())
            return settings;
        try
        {
            using RootFolder? folder = RootFolder.TryOpen(root.Path);
            if (folder is not null)
                settings.Read(root, folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            settings._problems.Add($"The files below {root.Path} are not to be read: {exception.Message}.");
        }

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

    /// <summary>When a file was written; null where it was not read.</summary>
    public DateTime? Written(string file) => _files.TryGetValue(file, out BootFile? read) ? read.Status.Written : null;

    /// <summary>Where a file is in truth, links followed within the root.</summary>
    public string PathOf(string file) => _files.TryGetValue(file, out BootFile? read) ? read.Path : file;

    private void Read(SystemRoot root, RootFolder folder)
    {
        BootFiles boot = new(root, folder);
        IReadOnlyList<BootFile> files = boot.InOrder(SystemRoot.SysctlDirectories);
        BootFile? last = boot.Read(SystemRoot.LastSysctlName);
        bool isLinked = last is not null && files.Any(file => file.Status.IsSameFile(last.Status));
        foreach (BootFile file in last is null || isLinked ? files : [.. files, last])
            Add(file);
        _problems.AddRange(boot.Problems);
    }

    private void Add(BootFile file)
    {
        _files[file.Name] = file;
        foreach (string line in file.Text.Lines)
        {
            if (SysctlLine.Parse(line) is { } assignment)
                _assignments.Add(new PersistedValue(assignment.Key, assignment.Value, file.Name));
            foreach (SysctlLine hidden in SysctlLine.Hidden(line).Where(hidden => SysctlKey.IsOfConntrack(hidden.Key)))
            {
                _problems.Add($"{file.Name} has a carriage return or a zero within a line: systemd-sysctl sets {hidden.Key} to " +
                    $"{hidden.Value} by what follows, sysctl does not. Give it a line of its own, or take it out.");
            }
        }
    }
}
