using System.Text;
using System.Text.RegularExpressions;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>A file that boot reads.</summary>
/// <param name="Name">The name by which boot finds it.</param>
/// <param name="Path">The real path, with all links resolved.</param>
/// <param name="Status">The status of the file.</param>
/// <param name="Text">The content of the file.</param>
internal sealed record BootFile(string Name, string Path, FileStatus Status, ConfigText Text);

/// <summary>Reads the files that boot reads. Skips and reports anything that is not a regular file or can't be read. It never
/// blocks.</summary>
internal sealed class BootFiles(SystemRoot root, RootFolder folder)
{
    private const string Extension = ".conf";

    private readonly List<string> _problems = [];

    /// <summary>The problems with files that could not be read, one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>The files of several directories, sorted by name. A file hides those with the same name in later directories.</summary>
    /// <param name="directories">The directories, with the highest priority first.</param>
    /// <param name="takesHidden">True to include files whose name starts with a dot. Only sysctl(8) reads them.</param>
    /// <remarks>sysctl.d(5), modules-load.d(5). A mask also hides other files, and so does a link to a missing file.</remarks>
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

    /// <summary>One file. Null if boot does not find it, or it can't be read.</summary>
    public BootFile? Read(string name) => Try(name, null, () =>
    {
        using FilePlace? place = folder.Find(name);
        return place?.Status is { } status && place.Read() is { } bytes
            ? new BootFile(root.In(name), place.Path, status, ConfigText.Parse(bytes))
            : null;
    });

    /// <summary>The names in a folder, in no order.</summary>
    public IReadOnlyList<string> Names(string directory) => Try(directory, [], () => folder.Names(directory));

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

/// <summary>The sysctl file that ufw applies whenever it starts: <c>sysctl -e -q -p $IPT_SYSCTL</c>, in ufw-init-functions.</summary>
internal static class UfwFile
{
    private const string Defaults = "etc/default/ufw";
    private const string Switch = "etc/ufw/ufw.conf";

    /// <summary>The file, and whether ufw is enabled. Null if ufw is certainly disabled, or has no such file.</summary>
    public static (BootFile File, bool IsEnabled)? Find(BootFiles boot)
    {
        if (boot.Read(Defaults) is not { } defaults || Value(defaults, "IPT_SYSCTL") is not { Length: > 0 } path)
            return null;
        string? isEnabled = boot.Read(Switch) is { } file ? Value(file, "ENABLED") : null;
        if (isEnabled is "no" or "NO" || boot.Read(path.TrimStart('/')) is not { } settings)
            return null;
        return (settings, isEnabled is "yes" or "YES");
    }

    /// <summary>The last assignment of a shell variable: a plain or quoted word.</summary>
    private static string? Value(BootFile file, string name) => file.Text.Lines
        .Select(line => ConfigText.Content(line).Trim())
        .LastOrDefault(line => line.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..].Split(" #")[0].Trim().Trim('"', '\'');
}

/// <summary>The system whose files configure the next boot: the running one, or a mounted image.</summary>
/// <param name="path">The path of its root.</param>
/// <param name="isModular">True if connection tracking is a module that boot has to load. The default is as in the running kernel.</param>
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

    /// <summary>The path of its root.</summary>
    public string Path { get; } = path;

    /// <summary>Our file in sysctl.d. Its name sorts late, so that it overrides the files of packages.</summary>
    public string SysctlFile => In(SysctlName);

    /// <summary>Our file with kernel module options.</summary>
    public string ModuleOptionsFile => In(ModuleOptionsName);

    /// <summary>The directories of sysctl files, with the highest priority first (sysctl.d(5)). All names here are relative to the
    /// root.</summary>
    internal static IReadOnlyList<string> SysctlDirectories { get; } =
        ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"];

    /// <summary>The directories of files that name modules to load (modules-load.d(5)), with the highest priority first.</summary>
    internal static IReadOnlyList<string> ModuleLoadDirectories { get; } =
        ["etc/modules-load.d", "run/modules-load.d", "usr/local/lib/modules-load.d", "usr/lib/modules-load.d", "lib/modules-load.d"];

    /// <summary>The directories of module options (modprobe.d(5)), with the highest priority first.</summary>
    internal static IReadOnlyList<string> ModuleOptionsDirectories { get; } =
        ["etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"];

    /// <summary>The possible paths of systemd-sysctl.</summary>
    internal static IReadOnlyList<string> SystemdNames { get; } = ["usr/lib/systemd/systemd-sysctl", "lib/systemd/systemd-sysctl"];

    /// <summary>True if connection tracking is a module. Then its sysctls do not exist before it is loaded.</summary>
    internal bool IsModular { get; } = isModular ?? File.Exists("/sys/module/nf_conntrack/initstate");

    /// <summary>True for the running system.</summary>
    internal bool IsRunning => Path == Running;

    /// <summary>True if the files configure this network namespace: boot configures only one. For the root of another system, this is
    /// the namespace of that system.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    internal bool HoldsFor(NetworkNamespace? networkNamespace) =>
        (networkNamespace is null && !IsRunning) || MachineNamespace.IsSetByBoot(networkNamespace) == true;

    /// <summary>The path of a name below the root.</summary>
    internal string In(string name) => System.IO.Path.Combine(Path, name);
}

/// <summary>Comments out lines of files that boot reads.</summary>
internal static class BootLines
{
    /// <summary>Comments out lines. Every other byte stays.</summary>
    /// <param name="root">The system of the file. Links can't lead outside.</param>
    /// <param name="path">The path of the file, including the root.</param>
    /// <param name="beginning">The start of the lines, as a regular expression that ignores case.</param>
    /// <returns>False if the file has no such line.</returns>
    /// <exception cref="PersistenceException">The file could not be written. Nothing was changed.</exception>
    public static bool CommentOut(SystemRoot root, string path, string beginning)
    {
        try
        {
            using RootFolder folder = RootFolder.TryOpen(root.Path) ?? throw new DirectoryNotFoundException($"There is no folder {root.Path}.");

            // Latin-1 preserves every byte.
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
