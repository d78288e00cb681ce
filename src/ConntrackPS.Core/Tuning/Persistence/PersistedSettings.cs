using System.Globalization;
using System.IO.Enumeration;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>All lines of the files that boot reads, in the order in which they are applied.</summary>
/// <remarks>sysctl.d(5): files of all directories are sorted by name together, and a file hides those with the same name in later
/// directories. sysctl(8) also reads hidden files, and /etc/sysctl.conf last. systemd-sysctl does not, unless a link in sysctl.d refers to
/// it. ufw applies its own file whenever it starts. Verified with systemd 252 and procps 4.0.2.</remarks>
internal sealed class PersistedSettings
{
    private const BootReaders Both = BootReaders.Systemd | BootReaders.Procps;

    private readonly List<PersistedValue> _assignments = [];
    private readonly List<string> _problems = [];
    private readonly List<string> _withoutEffect = [];
    private readonly Dictionary<string, BootFile> _files = [];
    private BootReaders _atBoot = BootReaders.Procps;

    private PersistedSettings()
    {
    }

    /// <summary>Lines and files that could not be read, or that programs interpret differently, one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Lines without effect, one sentence each.</summary>
    public IReadOnlyList<string> WithoutEffect => _withoutEffect;

    /// <summary>Reads the files. A file that can't be read only adds to <see cref="Problems"/>.</summary>
    public static PersistedSettings Read(SystemRoot root)
    {
        PersistedSettings settings = new();
        if (!Platform.IsLinux)
            return settings;
        try
        {
            using RootFolder? folder = RootFolder.TryOpen(root.Path);
            if (folder is not null)
                settings.Read(root, folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            settings._problems.Add($"The files below {root.Path} can't be read: {exception.Message}.");
        }

        return settings;
    }

    /// <summary>The running system's persisted values for a network namespace. Null if boot configures another one.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    public static PersistedSettings? ReadFor(NetworkNamespace? networkNamespace)
    {
        SystemRoot root = new();
        return root.HoldsFor(networkNamespace) ? Read(root) : null;
    }

    /// <summary>The value that the next boot sets for a parameter. Null if no file sets it.</summary>
    /// <param name="name">Its file below /proc/sys/net/netfilter, or null for none.</param>
    public PersistedValue? Find(string? name) => name is null ? null : Winner(SysctlKey.Of(name), _atBoot);

    /// <summary>The value that some programs set for a parameter. Null if they find no line for it.</summary>
    public PersistedValue? FindFor(string name, BootReaders readers) => Winner(SysctlKey.Of(name), readers);

    /// <summary>The lines that set a parameter after our file, in order, if one of them changes its value for a program that reads them.
    /// Empty if our value applies for all programs.</summary>
    /// <param name="key">The parameter, with dots.</param>
    /// <param name="ours">Our file.</param>
    public IReadOnlyList<PersistedValue> After(string key, string ours)
    {
        int place = _assignments.FindLastIndex(assignment => assignment.File == ours && assignment.Key == key && !assignment.IsExclusion);
        if (place < 0)
            return [];
        PersistedValue[] later = [.. _assignments[(place + 1)..].Where(assignment => assignment.Key == key && assignment.Readers != BootReaders.None)];
        Int128? wanted = _assignments[place].Number;
        return Enum.GetValues<BootReaders>().Any(reader =>
            Array.FindLast(later, assignment => assignment.Readers.HasFlag(reader) && reader != BootReaders.None) is { } last && last.Number != wanted)
            ? later
            : [];
    }

    /// <summary>The assignments in a file.</summary>
    public IEnumerable<PersistedValue> In(string file) => _assignments.Where(assignment => assignment.File == file && !assignment.IsExclusion);

    /// <summary>The lines that set a parameter and are read after our file, whether or not our file sets it.</summary>
    /// <param name="key">The parameter, with dots.</param>
    /// <param name="ours">Our file.</param>
    public IEnumerable<PersistedValue> BehindOurs(string key, string ours) =>
        _assignments.Where(assignment => assignment.Key == key && assignment.File != ours && IsBehind(assignment, ours));

    /// <summary>The time when a file was written. Null if it was not read.</summary>
    public DateTime? Written(string file) => _files.TryGetValue(file, out BootFile? read) ? read.Status.Written : null;

    /// <summary>The real path of a file, with links resolved within the root.</summary>
    public string PathOf(string file) => _files.TryGetValue(file, out BootFile? read) ? read.Path : file;

    /// <summary>The files of ufw and modprobe, and sysctl.conf at the end, are not sorted by name.</summary>
    private static bool IsBehind(PersistedValue assignment, string ours) =>
        assignment.Readers is not (BootReaders.Systemd or BootReaders.Procps or Both)
        || Path.GetFileName(Path.GetDirectoryName(assignment.File)) != "sysctl.d"
        || string.CompareOrdinal(Path.GetFileName(assignment.File), Path.GetFileName(ours)) > 0;

    /// <summary>The last line that a program reads takes effect. In systemd-sysctl, a line with the same value keeps its earlier position,
    /// and a pattern skips names that have their own line.</summary>
    private PersistedValue? Winner(string key, BootReaders readers)
    {
        List<PersistedValue> applied = [];
        foreach (PersistedValue assignment in _assignments.Where(assignment => (assignment.Readers & readers) != 0 && assignment.Key == key))
        {
            if (assignment.IsExclusion)
            {
                applied.RemoveAll(other => other.Spelled == assignment.Spelled);
                continue;
            }

            bool isSystemd = assignment.Readers.HasFlag(BootReaders.Systemd) && readers.HasFlag(BootReaders.Systemd);
            int before = isSystemd ? applied.FindIndex(other => other.Spelled == assignment.Spelled) : -1;
            if (before >= 0 && applied[before].Text == assignment.Text)
                continue;
            if (before >= 0)
                applied.RemoveAt(before);
            applied.Add(assignment);
        }

        return applied.Count > 0 || _assignments.Exists(assignment => assignment.IsExclusion && assignment.Spelled == key)
            ? applied.LastOrDefault()
            : _assignments.FindLast(assignment => (assignment.Readers & readers) != 0 && IsPattern(assignment.Key)
                && FileSystemName.MatchesSimpleExpression(assignment.Key, key, ignoreCase: false));
    }

    private static bool IsPattern(string key) => key.AsSpan().IndexOfAny('*', '?') >= 0;

    private void Read(SystemRoot root, RootFolder folder)
    {
        BootFiles boot = new(root, folder);
        if (SystemRoot.SystemdNames.Any(name => IsThere(folder, name)))
            _atBoot = BootReaders.Systemd;
        foreach (BootFile file in boot.InOrder(SystemRoot.SysctlDirectories, takesHidden: true))
            Add(file, Path.GetFileName(file.Name).StartsWith('.') ? BootReaders.Procps : Both);
        if (boot.Read(SystemRoot.LastSysctlName) is { } last)
            Add(last, BootReaders.Procps);
        if (UfwFile.Find(boot) is { } ufw)
        {
            Add(ufw.File, BootReaders.Ufw);
            if (ufw.IsEnabled)
                _atBoot |= BootReaders.Ufw;
        }

        AddModuleOptions(root, boot);
        _problems.AddRange(boot.Problems);
    }

    private static bool IsThere(RootFolder folder, string name)
    {
        try
        {
            using FilePlace? place = folder.Find(name);
            return place?.Status is { Kind: FileKind.Regular };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private void Add(BootFile file, BootReaders readers)
    {
        _files[file.Name] = file;
        foreach ((int number, string line) in file.Text.Lines.Select((line, index) => (index + 1, line)))
        {
            if (SysctlLine.Parse(line) is { } assignment && Readers(assignment, readers) is not BootReaders.None and BootReaders those)
            {
                _assignments.Add(new PersistedValue(assignment.Key, assignment.Value, file.Name, number, assignment.Spelled, those));
                if (SysctlKey.IsGivenUp(assignment.Key))
                    _withoutEffect.Add($"{file.Name} line {number} sets {assignment.Key}, a name that Linux 4.19 removed: it has no effect.");
            }

            if (SysctlLine.Excluded(line) is { } excluded)
                _assignments.Add(new PersistedValue(SysctlKey.Normalize(excluded), "", file.Name, number, excluded, readers & BootReaders.Systemd) { IsExclusion = true });
            foreach (SysctlLine hidden in SysctlLine.Hidden(line).Where(hidden => SysctlKey.IsOfConntrack(hidden.Key)))
            {
                _problems.Add($"{file.Name} has a carriage return or a NUL inside a line: systemd-sysctl reads the text after it as another line, and sets {hidden.Key} to " +
                    $"{hidden.Value}; sysctl does not. Move it to a separate line, or remove it.");
            }
        }
    }

    /// <summary>ufw calls sysctl(8) to read its file.</summary>
    private static BootReaders Readers(SysctlLine assignment, BootReaders readers) =>
        readers == BootReaders.Ufw ? (assignment.Readers.HasFlag(BootReaders.Procps) ? readers : BootReaders.None) : assignment.Readers & readers;

    /// <summary>Module options take effect when the module is loaded: before the sysctls if modules-load.d loads it, otherwise after
    /// them.</summary>
    private void AddModuleOptions(SystemRoot root, BootFiles boot)
    {
        const string Buckets = "nf_conntrack_buckets";
        foreach (BootFile file in boot.InOrder(SystemRoot.ModuleOptionsDirectories))
        {
            _files[file.Name] = file;
            foreach ((int line, string? value) in ModuleOptions.HashSizes(file.Text))
            {
                if (value is null)
                {
                    _withoutEffect.Add($"{file.Name} line {line} sets the option hashsize of nf_conntrack with blanks around the equals sign: " +
                        "the kernel refuses to load the module.");
                }
                else if (string.CompareOrdinal(Path.GetFileName(file.Name), Path.GetFileName(root.ModuleOptionsFile)) > 0)
                {
                    _assignments.Add(new PersistedValue(SysctlKey.Of(Buckets), value, file.Name, line, SysctlKey.Of(Buckets), BootReaders.Modprobe));
                }
            }
        }
    }
}

/// <summary>The programs that set kernel parameters from files. Each has its own order.</summary>
[Flags]
internal enum BootReaders
{
    /// <summary>No program.</summary>
    None = 0,

    /// <summary>systemd-sysctl, at boot.</summary>
    Systemd = 1,

    /// <summary>sysctl(8) of procps: at boot without systemd, and with <c>sysctl --system</c>.</summary>
    Procps = 2,

    /// <summary>ufw, which applies its own file when it starts (IPT_SYSCTL of /etc/default/ufw).</summary>
    Ufw = 4,

    /// <summary>modprobe, which passes the module its options.</summary>
    Modprobe = 8,
}

/// <summary>The value that a line of a file sets for a parameter.</summary>
/// <param name="Key">The parameter, with dots, in its normalized name.</param>
/// <param name="Text">The text of the value.</param>
/// <param name="File">The file.</param>
/// <param name="Line">The line's number, from 1.</param>
/// <param name="Spelled">The parameter in the spelling of the file, with dots. It may have two names.</param>
/// <param name="Readers">The programs that read the line.</param>
internal sealed record PersistedValue(string Key, string Text, string File, int Line, string Spelled, BootReaders Readers)
{
    /// <summary>True for a name after a minus and without a value: patterns skip it, and systemd-sysctl ignores earlier lines for
    /// it.</summary>
    public bool IsExclusion { get; init; }

    /// <summary>The value as the kernel parses it. Null if it is not a number.</summary>
    public Int128? Number => Parse(Text);

    /// <summary>The location and the value: <c>/etc/sysctl.conf line 2 to 2000 (sysctl --system)</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File} line {Line} {(IsExclusion ? "not at all" : $"to {Text}")} ({Describe(Readers)})");

    /// <summary>The programs by their usual names.</summary>
    public static string Describe(BootReaders readers) => string.Join(
        ", ",
        new[]
        {
            (BootReaders.Systemd, "systemd-sysctl"), (BootReaders.Procps, "sysctl --system"), (BootReaders.Ufw, "ufw, once it is enabled"),
            (BootReaders.Modprobe, "modprobe, if the module is loaded later"),
        }.Where(choice => readers.HasFlag(choice.Item1)).Select(choice => choice.Item2));

    /// <summary>The first word counts. A number may be octal or hexadecimal (proc_get_long, kernel/sysctl.c).</summary>
    public static Int128? Parse(string text)
    {
        string word = text.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries) is [{ } first, ..] ? first : "";
        bool isNegative = word.StartsWith('-');
        string digits = isNegative ? word[1..] : word;
        if (digits.Length is 0 or > 24 || !char.IsAsciiDigit(digits[0]))
            return null;
        Int128 number = 0;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            if (!Int128.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number))
                return null;
        }
        else if (digits.Length > 1 && digits[0] == '0')
        {
            foreach (char digit in digits)
            {
                if (digit is < '0' or > '7')
                    return null;
                number = (number * 8) + (digit - '0');
            }
        }
        else if (!Int128.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            return null;
        }

        number = isNegative ? -number : number;
        return number >= long.MinValue && number <= ulong.MaxValue ? number : null;
    }
}
