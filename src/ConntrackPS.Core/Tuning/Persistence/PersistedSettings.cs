using System.Globalization;
using System.IO.Enumeration;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>What files set at boot, all of their lines, in the order in which they are read.</summary>
/// <remarks>sysctl.d(5): files are sorted by name over all directories, and one hides those of the same name in later
/// directories. sysctl(8) reads hidden ones too, and /etc/sysctl.conf after all; systemd-sysctl does not, unless a link in
/// sysctl.d names it. ufw sets a file of its own whenever it is started. Seen with systemd 252 and procps 4.0.2.</remarks>
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

    /// <summary>What could not be read, or is read in two ways: one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Lines that set nothing, one sentence each.</summary>
    public IReadOnlyList<string> WithoutEffect => _withoutEffect;

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

    /// <summary>What the running system's files say of a network namespace; null where boot sets up another one.</summary>
    /// <param name="networkNamespace">Which one; null for the caller's own.</param>
    public static PersistedSettings? ReadFor(NetworkNamespace? networkNamespace)
    {
        SystemRoot root = new();
        return root.HoldsFor(networkNamespace) ? Read(root) : null;
    }

    /// <summary>What the next boot sets a parameter to; null where no file names it.</summary>
    /// <param name="name">Its file below /proc/sys/net/netfilter; null for none.</param>
    public PersistedValue? Find(string? name) => name is null ? null : Winner(SysctlKey.Of(name), _atBoot);

    /// <summary>What certain programs set a parameter to; null where they find no line about it.</summary>
    public PersistedValue? FindFor(string name, BootReaders readers) => Winner(SysctlKey.Of(name), readers);

    /// <summary>The lines that set a parameter after our file does, in their order, where one of them makes it another
    /// value for a program that reads them; none where our value wins with all programs.</summary>
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

    /// <summary>The assignments of a file.</summary>
    public IEnumerable<PersistedValue> In(string file) => _assignments.Where(assignment => assignment.File == file && !assignment.IsExclusion);

    /// <summary>The lines that set a parameter and are read after our file, whether that names it or not.</summary>
    /// <param name="key">The parameter, with dots.</param>
    /// <param name="ours">Our file.</param>
    public IEnumerable<PersistedValue> BehindOurs(string key, string ours) =>
        _assignments.Where(assignment => assignment.Key == key && assignment.File != ours && IsBehind(assignment, ours));

    /// <summary>When a file was written; null where it was not read.</summary>
    public DateTime? Written(string file) => _files.TryGetValue(file, out BootFile? read) ? read.Status.Written : null;

    /// <summary>Where a file is in truth, links followed within the root.</summary>
    public string PathOf(string file) => _files.TryGetValue(file, out BootFile? read) ? read.Path : file;

    /// <summary>Ufw's and modprobe's files, and sysctl.conf at the end, have no names to sort by.</summary>
    private static bool IsBehind(PersistedValue assignment, string ours) =>
        assignment.Readers is not (BootReaders.Systemd or BootReaders.Procps or Both)
        || Path.GetFileName(Path.GetDirectoryName(assignment.File)) != "sysctl.d"
        || string.CompareOrdinal(Path.GetFileName(assignment.File), Path.GetFileName(ours)) > 0;

    /// <summary>The last line wins that a program reads; to systemd-sysctl, one that says the same again stays where it was,
    /// and a pattern leaves alone what a line names.</summary>
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
                    _withoutEffect.Add($"{file.Name} line {number} sets {assignment.Key}, a name that the kernel gave up with Linux 4.19: it has no effect.");
            }

            if (SysctlLine.Excluded(line) is { } excluded)
                _assignments.Add(new PersistedValue(SysctlKey.Normalize(excluded), "", file.Name, number, excluded, readers & BootReaders.Systemd) { IsExclusion = true });
            foreach (SysctlLine hidden in SysctlLine.Hidden(line).Where(hidden => SysctlKey.IsOfConntrack(hidden.Key)))
            {
                _problems.Add($"{file.Name} has a carriage return or a zero within a line: systemd-sysctl sets {hidden.Key} to " +
                    $"{hidden.Value} by what follows, sysctl does not. Give it a line of its own, or take it out.");
            }
        }
    }

    /// <summary>Ufw has its file read by sysctl(8).</summary>
    private static BootReaders Readers(SysctlLine assignment, BootReaders readers) =>
        readers == BootReaders.Ufw ? (assignment.Readers.HasFlag(BootReaders.Procps) ? readers : BootReaders.None) : assignment.Readers & readers;

    /// <summary>The module's options come with it: before the sysctls where it is loaded by modules-load.d, else after them.</summary>
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
                    _withoutEffect.Add($"{file.Name} line {line} gives nf_conntrack the option hashsize with blanks around its sign: " +
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

/// <summary>The programs that set kernel parameters from files, each in an order of its own.</summary>
[Flags]
internal enum BootReaders
{
    /// <summary>No program.</summary>
    None = 0,

    /// <summary>systemd-sysctl, at boot.</summary>
    Systemd = 1,

    /// <summary>sysctl(8) of procps: at boot without systemd, and with <c>sysctl --system</c>.</summary>
    Procps = 2,

    /// <summary>ufw, which has a file of its own (IPT_SYSCTL of /etc/default/ufw) set when it is started.</summary>
    Ufw = 4,

    /// <summary>modprobe, which gives the module its options when it is loaded.</summary>
    Modprobe = 8,
}

/// <summary>What a line of a file sets a parameter to.</summary>
/// <param name="Key">The parameter, with dots, under the one name it has here.</param>
/// <param name="Text">The value as it stands there.</param>
/// <param name="File">The file.</param>
/// <param name="Line">The line's number, from 1.</param>
/// <param name="Spelled">The parameter as it is spelled there, with dots: it may have two names.</param>
/// <param name="Readers">Who reads the line.</param>
internal sealed record PersistedValue(string Key, string Text, string File, int Line, string Spelled, BootReaders Readers)
{
    /// <summary>True for a name behind a minus and without a value: patterns leave it alone, and systemd-sysctl forgets what lines
    /// before it say.</summary>
    public bool IsExclusion { get; init; }

    /// <summary>The value as the kernel takes it; null where it is no number.</summary>
    public Int128? Number => Parse(Text);

    /// <summary>Who sets what, and where: <c>/etc/sysctl.conf line 2 to 2000 (sysctl --system)</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File} line {Line} {(IsExclusion ? "not at all" : $"to {Text}")} ({Describe(Readers)})");

    /// <summary>Readers by the names that people know.</summary>
    public static string Describe(BootReaders readers) => string.Join(
        ", ",
        new[]
        {
            (BootReaders.Systemd, "systemd-sysctl"), (BootReaders.Procps, "sysctl --system"), (BootReaders.Ufw, "ufw, once it is enabled"),
            (BootReaders.Modprobe, "modprobe, where the module is loaded later"),
        }.Where(choice => readers.HasFlag(choice.Item1)).Select(choice => choice.Item2));

    /// <summary>The first word counts, and a number may be octal or hexadecimal (proc_get_long, kernel/sysctl.c).</summary>
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
