using System.IO.Compression;
using System.Text;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Helpers;

/// <summary>The state of a kernel module.</summary>
public enum ModuleState
{
    /// <summary>It is part of the running kernel.</summary>
    BuiltIn,

    /// <summary>It is loaded.</summary>
    Loaded,

    /// <summary>It can be loaded, on demand or by modprobe.</summary>
    Available,

    /// <summary>It could be loaded, but modprobe.d or the kernel's command line prevents that.</summary>
    Blacklisted,

    /// <summary>The running kernel does not have it, and no file for this kernel contains it.</summary>
    Missing,
}

/// <summary>The kernel's modules, from files only. Nothing is loaded.</summary>
/// <remarks>Read in this order: /proc/modules, /sys/module, modules.builtin, the kernel's build options, modules.dep. All names are relative
/// to a root, so that tests have their own.</remarks>
internal sealed class KernelModules : IDisposable
{
    /// <summary>The maximum size of a file, in bytes: modules.dep of a distribution has about 1 MB.</summary>
    private const int MostBytes = 16 << 20;

    private readonly RootFolder? _folder;
    private readonly string _release;
    private readonly Lazy<HashSet<string>> _loaded;
    private readonly Lazy<HashSet<string>?> _builtIn;
    private readonly Lazy<Dictionary<string, string>?> _files;
    private readonly Lazy<Dictionary<string, string>?> _options;
    private readonly Lazy<ModprobeConfig> _config;
    private readonly List<string> _problems = [];
    private readonly SystemRoot _root;

    /// <param name="root">The root of the file system with /proc, /sys, /etc and /lib.</param>
    /// <exception cref="UnauthorizedAccessException">The caller may not access the root.</exception>
    public KernelModules(SystemRoot root)
    {
        _root = root;
        _folder = RootFolder.TryOpen(root.Path);
        _release = Text("proc/sys/kernel/osrelease")?.Trim() ?? "";
        _loaded = new(() => [.. Lines("proc/modules")?.Select(line => line.Split(' ')[0]) ?? []]);
        _builtIn = new(() => Lines(InModules("modules.builtin"))?.Select(ModuleName).ToHashSet(StringComparer.Ordinal));
        _files = new(ReadDependencies);
        _options = new(ReadOptions);
        _config = new(ReadConfig);
    }

    /// <summary>The folder of the running kernel's modules.</summary>
    public string Folder => _root.In($"lib/modules/{_release}");

    /// <summary>True if that folder exists. It is missing in most containers, and after an upgrade of the kernel without a reboot.</summary>
    public bool HasFolder => IsThere($"lib/modules/{_release}");

    /// <summary>The problems with files that could not be read, one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>False if the kernel can't load any module: it was built without that, root disabled it until the next boot, or there is
    /// no program to load on demand.</summary>
    public bool CanLoadOnDemand =>
        IsThere("proc/modules") && Text("proc/sys/kernel/modules_disabled")?.Trim() != "1" && Text("proc/sys/kernel/modprobe")?.Trim() is not (null or "");

    /// <summary>The program that the kernel runs to load a module (kernel.modprobe). Null if there is none.</summary>
    public static string? ReadProgram(SystemRoot root)
    {
        using KernelModules modules = new(root);
        return modules.Text("proc/sys/kernel/modprobe")?.Trim() is { Length: > 0 } program ? program : null;
    }

    /// <summary>True if a module is loaded now. Null if the kernel does not list its modules.</summary>
    public bool? IsLoaded(string module) => IsThere("proc/modules") ? _loaded.Value.Contains(ModuleOptions.Normalize(module)) : null;

    /// <summary>The state of a module.</summary>
    /// <param name="module">The name of the module.</param>
    /// <param name="option">Its build option, without CONFIG_.</param>
    /// <returns>Null if the files do not contain enough to decide.</returns>
    public ModuleState? StateOf(string module, string option)
    {
        string name = ModuleOptions.Normalize(module);
        if (_loaded.Value.Contains(name))
            return ModuleState.Loaded;

        // A module that is built in has a folder only if it has parameters.
        if (IsThere($"sys/module/{name}"))
            return IsThere($"sys/module/{name}/initstate") ? ModuleState.Loaded : ModuleState.BuiltIn;
        string? built = _options.Value?.GetValueOrDefault("CONFIG_" + option, "n");
        if (_builtIn.Value?.Contains(name) == true || built == "y")
            return ModuleState.BuiltIn;
        if (_files.Value?.TryGetValue(name, out string? file) == true && IsThere(file))
            return WhyBlocked(name) is null ? ModuleState.Available : ModuleState.Blacklisted;
        return built is not null || (_files.Value is not null && _builtIn.Value is not null) ? ModuleState.Missing : null;
    }

    /// <summary>The line that keeps a module from being loaded. Null if there is none.</summary>
    public string? WhyBlocked(string module) => _config.Value.WhyBlocked(module);

    /// <summary>The current value of a parameter of a module. Null if the module is not running, or has no such parameter.</summary>
    public string? Parameter(string module, string parameter) =>
        Text($"sys/module/{ModuleOptions.Normalize(module)}/parameters/{parameter}")?.TrimEnd('\n');

    /// <summary>The value of an option when the module is loaded the next time. Null if no file sets it.</summary>
    public string? NextParameter(string module, string parameter, bool isBuiltIn) => _config.Value.Option(module, parameter, isBuiltIn);

    public void Dispose() => _folder?.Dispose();

    private string InModules(string name) => $"lib/modules/{_release}/{name}";

    private Dictionary<string, string>? ReadDependencies()
    {
        if (Lines(InModules("modules.dep")) is not { } lines)
            return null;
        Dictionary<string, string> files = [];
        foreach (string line in lines)
        {
            if (line.Split(':', 2) is [{ Length: > 0 } path, _])
                files[ModuleName(path)] = path[0] == '/' ? path.TrimStart('/') : InModules(path);
        }

        return files;
    }

    /// <summary>The build options of the running kernel. Options that are not set are left out.</summary>
    private Dictionary<string, string>? ReadOptions()
    {
        IEnumerable<string>? lines = Unpack("proc/config.gz") ?? Lines($"boot/config-{_release}") ?? Lines(InModules("config"));
        return lines?.Where(line => line.StartsWith("CONFIG_", StringComparison.Ordinal)).Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2)
            .DistinctBy(parts => parts[0]).ToDictionary(parts => parts[0], parts => parts[1]);
    }

    private ModprobeConfig ReadConfig()
    {
        if (_folder is null)
            return ModprobeConfig.Parse([], null);
        BootFiles boot = new(_root, _folder);
        IReadOnlyList<BootFile> files = boot.InOrder(SystemRoot.ModuleOptionsDirectories);
        _problems.AddRange(boot.Problems);
        return ModprobeConfig.Parse(files, Text("proc/cmdline"));
    }

    /// <summary>The name of a module from the path of its file, which may be compressed: <c>nf_nat_ftp.ko.zst</c>.</summary>
    private static string ModuleName(string path)
    {
        string file = Path.GetFileName(path);
        int end = file.IndexOf(".ko", StringComparison.Ordinal);
        return ModuleOptions.Normalize(end < 0 ? file : file[..end]);
    }

    private string[]? Unpack(string name)
    {
        if (Bytes(name) is not { } bytes)
            return null;
        using GZipStream unpacked = new(new MemoryStream(bytes), CompressionMode.Decompress);
        using StreamReader reader = new(unpacked, Encoding.Latin1);
        return reader.ReadToEnd().Split('\n');
    }

    private string[]? Lines(string name) => Text(name)?.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private string? Text(string name) => Bytes(name) is { } bytes ? Encoding.Latin1.GetString(bytes) : null;

    private byte[]? Bytes(string name) => Try(name, place => place.Read(MostBytes));

    private bool IsThere(string name) => Try(name, place => place.Status is null ? null : place.Path) is not null;

    /// <summary>A file that can't be read counts as absent, and is reported.</summary>
    private T? Try<T>(string name, Func<FilePlace, T?> read)
        where T : class
    {
        try
        {
            return FileChangedException.Again(() =>
            {
                using FilePlace? place = _folder?.Find(name);
                return place is null ? null : read(place);
            });
        }
        catch (UnusableFileException exception) when (exception.IsMask)
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _problems.Add($"{_root.In(name)} is skipped: {exception.Message}.");
            return null;
        }
    }
}
