using System.Text;
using System.Text.RegularExpressions;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>A file that boot reads.</summary>
/// <param name="Name">Its name, as boot finds it.</param>
/// <param name="Path">Where it is in truth, all links followed.</param>
/// <param name="Status">What it is.</param>
/// <param name="Text">What is in it.</param>
internal sealed record BootFile(string Name, string Path, FileStatus Status, ConfigText Text);

/// <summary>Reads files that boot reads. What is no file, or may not be read, is told and passed over; it never waits.</summary>
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
                ? $"{exception.Message}: it is skipped."
                : $"{file} is skipped: {exception.Message}.");
            return none;
        }
    }
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

/// <summary>The system whose files hold what the next boot sets: the running one, or an image mounted somewhere.</summary>
/// <param name="path">Where its root is.</param>
/// <param name="isModular">Whether its connection tracking is a module that boot has to load; by default as in the
/// running kernel.</param>
internal sealed class SystemRoot(string path = SystemRoot.Running, bool? isModular = null)
{
    private const string Running = "/";
    private const string OurName = "conntrackps.conf";
    internal const string SysctlName = "etc/sysctl.d/99-" + OurName;
    internal const string ModuleOptionsName = "etc/modprobe.d/" + OurName;
    internal const string ModuleLoadName = "etc/modules-load.d/" + OurName;
    internal const string LastSysctlName = "etc/sysctl.conf";

    /// <summary>Debian's older list of modules to load.</summary>
    internal const string ModulesName = "etc/modules";

    /// <summary>Where its root is.</summary>
    public string Path { get; } = path;

    /// <summary>The file of ours in sysctl.d. It sorts late, so that it wins over what packages bring.</summary>
    public string SysctlFile => In(SysctlName);

    /// <summary>The file of ours with options of kernel modules.</summary>
    public string ModuleOptionsFile => In(ModuleOptionsName);

    /// <summary>Where sysctl files are, those that win first (sysctl.d(5)); below the root, as all names here.</summary>
    internal static IReadOnlyList<string> SysctlDirectories { get; } =
        ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"];

    /// <summary>Where files name modules to load (modules-load.d(5)), those that win first.</summary>
    internal static IReadOnlyList<string> ModuleLoadDirectories { get; } =
        ["etc/modules-load.d", "run/modules-load.d", "usr/local/lib/modules-load.d", "usr/lib/modules-load.d", "lib/modules-load.d"];

    /// <summary>Where options of modules are (modprobe.d(5)), those that win first.</summary>
    internal static IReadOnlyList<string> ModuleOptionsDirectories { get; } =
        ["etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"];

    /// <summary>Where systemd-sysctl is, if it is there.</summary>
    internal static IReadOnlyList<string> SystemdNames { get; } = ["usr/lib/systemd/systemd-sysctl", "lib/systemd/systemd-sysctl"];

    /// <summary>True where connection tracking is a module: its sysctls are not there before it is loaded.</summary>
    internal bool IsModular { get; } = isModular ?? File.Exists("/sys/module/nf_conntrack/initstate");

    /// <summary>True for the system that runs.</summary>
    internal bool IsRunning => Path == Running;

    /// <summary>Whether what the files say will hold in a network namespace: boot sets up one alone. A root of another
    /// system means the namespace that this will have.</summary>
    /// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
    internal bool HoldsFor(NetworkNamespace? networkNamespace) =>
        (networkNamespace is null && !IsRunning) || MachineNamespace.IsSetByBoot(networkNamespace) == true;

    /// <summary>A name below the root as a path.</summary>
    internal string In(string name) => System.IO.Path.Combine(Path, name);
}

/// <summary>Takes lines out of files that boot reads.</summary>
internal static class BootLines
{
    /// <summary>Makes comments of lines; every other byte stays.</summary>
    /// <param name="root">The system that the file is of; no link leads out of it.</param>
    /// <param name="path">The file, root included.</param>
    /// <param name="beginning">How the lines begin, as a regular expression; case makes no difference.</param>
    /// <returns>False where the file has no such line.</returns>
    /// <exception cref="PersistenceException">The file could not be written; nothing has changed.</exception>
    public static bool CommentOut(SystemRoot root, string path, string beginning)
    {
        try
        {
            using RootFolder folder = RootFolder.TryOpen(root.Path) ?? throw new DirectoryNotFoundException($"There is no folder {root.Path}.");

            // Latin-1 keeps every byte.
            return AtomicFile.Edit(folder, System.IO.Path.GetRelativePath(root.Path, path), before => before is null
                ? null
                : Encoding.Latin1.GetBytes(Regex.Replace(
                    Encoding.Latin1.GetString(before), $"^(?={beginning})", "# ", RegexOptions.Multiline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new PersistenceException(path, exception);
        }
    }
}
