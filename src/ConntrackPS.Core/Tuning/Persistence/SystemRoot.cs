using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

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

    /// <summary>The file of ours with modules to load before the sysctls are set.</summary>
    public string ModuleLoadFile => In(ModuleLoadName);

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

    /// <summary>Whether what the files say will hold in a network namespace: boot sets up one alone. Somebody who names another
    /// system's root means the one that this will have.</summary>
    /// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
    internal bool HoldsFor(NetworkNamespace? networkNamespace) =>
        (networkNamespace is null && !IsRunning) || MachineNamespace.IsSetByBoot(networkNamespace) == true;

    /// <summary>A name below the root as a path.</summary>
    internal string In(string name) => System.IO.Path.Combine(Path, name);
}
