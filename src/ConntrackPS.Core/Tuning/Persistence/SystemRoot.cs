namespace ConntrackPS.Tuning.Persistence;

/// <summary>The system whose files hold what the next boot sets: the running one, or an image mounted somewhere.</summary>
/// <param name="path">Where its root is.</param>
/// <param name="isModular">Whether its connection tracking is a module that boot has to load; by default as in the
/// running kernel.</param>
public sealed class SystemRoot(string path = SystemRoot.Running, bool? isModular = null)
{
    private const string Running = "/";
    private const string OurName = "conntrackps.conf";

    /// <summary>Where its root is.</summary>
    public string Path { get; } = path;

    /// <summary>The file of ours in sysctl.d. It sorts late, so that it wins over what packages bring.</summary>
    public string SysctlFile => In("etc/sysctl.d/99-" + OurName);

    /// <summary>The file of ours with options of kernel modules.</summary>
    public string ModuleOptionsFile => In("etc/modprobe.d/" + OurName);

    /// <summary>The file of ours with modules to load before the sysctls are set.</summary>
    public string ModuleLoadFile => In("etc/modules-load.d/" + OurName);

    /// <summary>Where sysctl files are, those that win first (sysctl.d(5)).</summary>
    internal IEnumerable<string> SysctlDirectories =>
        Expand("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d");

    /// <summary>The one file that sysctl(8) reads last of all.</summary>
    internal string LastSysctlFile => In("etc/sysctl.conf");

    /// <summary>Where files name modules to load (modules-load.d(5)), and Debian's older one.</summary>
    internal IEnumerable<string> ModuleLoadDirectories =>
        Expand("etc/modules-load.d", "run/modules-load.d", "usr/local/lib/modules-load.d", "usr/lib/modules-load.d", "lib/modules-load.d");

    internal string ModulesFile => In("etc/modules");

    /// <summary>True where connection tracking is a module: its sysctls are not there before it is loaded.</summary>
    internal bool IsModular { get; } = isModular ?? File.Exists("/sys/module/nf_conntrack/initstate");

    /// <summary>True for the system that runs.</summary>
    internal bool IsRunning => Path == Running;

    private IEnumerable<string> Expand(params string[] relative) => relative.Select(In);

    private string In(string relative) => System.IO.Path.Combine(Path, relative);
}
