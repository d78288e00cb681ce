using System.Globalization;

namespace ConntrackPS.Linux;

/// <summary>The place where machine-wide values can be set, seen from the caller's namespace.</summary>
internal enum MachinePlace
{
    /// <summary>Here: the caller is in the initial namespace.</summary>
    Here,

    /// <summary>In the namespace of process 1, which is the initial one.</summary>
    OfFirstProcess,

    /// <summary>On the host: this is a container, or process 1 is hidden.</summary>
    Elsewhere,
}

/// <summary>Compares a network namespace with two special ones: the initial namespace of the kernel, and the one that is configured at
/// boot. The caller's own may be neither: in a container, or below <c>ip netns exec</c>.</summary>
/// <remarks>Each answer is null if it is unknown. The caller then takes the safe choice.</remarks>
internal static class MachineNamespace
{
    /// <summary>The namespace of process 1, which booted the system whose files we see.</summary>
    public const string OfFirstProcess = "1";

    /// <summary>NET_NS_INIT_INO of linux/nsfs.h: fixed since Linux 6.18. No other namespace gets this number.</summary>
    private const uint InitialInode = 0xEFFFFFF9;

    /// <summary>Registered only for init_net, on every kernel (nf_conntrack_standalone.c, nf_ct_netfilter_table).</summary>
    private const string InitialOnly = "/proc/sys/net/nf_conntrack_max";

    /// <summary>Before Linux 5.13: exists in every namespace except those of other users.</summary>
    private const string Everywhere = Sysctl.Netfilter + "nf_conntrack_max";

    /// <summary>True for the initial namespace: kernel log lines about it have no namespace name, and machine-wide limits can be set
    /// there.</summary>
    /// <remarks>Process 1 is no evidence: a container has its own, and may hide it. The inode number is evidence since Linux 6.18, and the
    /// parameter that only the initial namespace has is evidence on all kernels.</remarks>
    public static bool? IsInitial(NetworkNamespace? networkNamespace) => NetworkNamespace.RunIn(networkNamespace, bool? () =>
    {
        if (OwnLink() == string.Create(CultureInfo.InvariantCulture, $"net:[{InitialInode}]") || File.Exists(InitialOnly))
            return true;
        return File.Exists(Everywhere) ? false : null;
    });

    /// <summary>True if the files that we see configure the namespace at boot: it is the namespace of process 1. A container with its own
    /// init also has one.</summary>
    public static bool? IsSetByBoot(NetworkNamespace? networkNamespace)
    {
        if (LinkOfFirstProcess() is { } first)
            return NetworkNamespace.RunIn(networkNamespace, OwnLink) == first;

        // Process 1 is hidden or not readable. In the initial namespace, process 1 is the machine's own init.
        return IsInitial(networkNamespace);
    }

    /// <summary>The place where machine-wide values can be set.</summary>
    public static MachinePlace Place() =>
        IsInitial(null) != false ? MachinePlace.Here : IsInitialNamed() ? MachinePlace.OfFirstProcess : MachinePlace.Elsewhere;

    private static bool IsInitialNamed()
    {
        try
        {
            return LinkOfFirstProcess() is not null && IsInitial(NetworkNamespace.Parse(OfFirstProcess)) == true;
        }
        catch (NetworkNamespaceException)
        {
            // The caller may not enter it.
            return false;
        }
    }

    private static string? OwnLink() => new FileInfo("/proc/thread-self/ns/net").LinkTarget;

    /// <summary>Null if the user may not read other users' processes.</summary>
    private static string? LinkOfFirstProcess()
    {
        try
        {
            return new FileInfo("/proc/1/ns/net").LinkTarget;
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            return null;
        }
    }
}

/// <summary>The minimum age of a network namespace. The kernel does not report the age, and reuses the number of a deleted
/// namespace.</summary>
internal static class NamespaceAge
{
    /// <summary>The clock ticks per second of /proc/PID/stat (USER_HZ of asm/param.h). The same on every processor that .NET
    /// supports.</summary>
    private const int TicksPerSecond = 100;

    /// <summary>The time since its file was created, or since the start of the oldest process in it that we may read. Zero if there is
    /// neither.</summary>
    /// <param name="networkNamespace">The namespace as the user named it, or null for the caller's own.</param>
    /// <param name="identity">The kernel's name for it, such as net:[4026531840].</param>
    public static TimeSpan Of(NetworkNamespace? networkNamespace, string identity)
    {
        NetworkNamespace? named = networkNamespace ?? NetworkNamespace.FindOwnName();
        TimeSpan age = OfOldestProcess(identity);
        return named?.Made is { } made && DateTime.UtcNow - made > age ? DateTime.UtcNow - made : age;
    }

    private static TimeSpan OfOldestProcess(string identity)
    {
        TimeSpan oldest = TimeSpan.Zero, sinceBoot = SinceBoot();
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])))
        {
            try
            {
                if (new FileInfo(folder + "/ns/net").LinkTarget != identity)
                    continue;
                TimeSpan age = sinceBoot - StartOf(File.ReadAllText(folder + "/stat"));
                oldest = age > oldest ? age : oldest;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The process has ended, or belongs to another user.
            }
        }

        return oldest;
    }

    private static TimeSpan SinceBoot() =>
        TimeSpan.FromSeconds(double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture));

    /// <summary>Field 22 of /proc/PID/stat, since boot. Field 2 is the program's name in parentheses, which may contain any
    /// character.</summary>
    private static TimeSpan StartOf(string stat) =>
        TimeSpan.FromSeconds(double.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture) / TicksPerSecond);
}
