using System.Globalization;

namespace ConntrackPS.Linux;

/// <summary>Where what all network namespaces share can be set, seen from the caller's own.</summary>
internal enum MachinePlace
{
    /// <summary>Here: this is the initial namespace.</summary>
    Here,

    /// <summary>In the namespace of the first process, which is the initial one.</summary>
    OfFirstProcess,

    /// <summary>On the host: this is a container, or the first process is hidden.</summary>
    Elsewhere,
}

/// <summary>What a network namespace is to the machine: the first one, which the kernel starts with, and the one that boot sets
/// up. The caller's own may be neither: in a container, or below <c>ip netns exec</c>.</summary>
/// <remarks>Each answer is null where it can't be known; the caller takes the careful side then.</remarks>
internal static class MachineNamespace
{
    /// <summary>The namespace of the first process, which started the system whose files we see.</summary>
    public const string OfFirstProcess = "1";

    /// <summary>NET_NS_INIT_INO of linux/nsfs.h: fixed since Linux 6.18, and never given to another namespace.</summary>
    private const uint InitialInode = 0xEFFFFFF9;

    /// <summary>Registered for init_net alone, on every kernel (nf_conntrack_standalone.c, nf_ct_netfilter_table).</summary>
    private const string InitialOnly = "/proc/sys/net/nf_conntrack_max";

    /// <summary>In every namespace but those of other users, on kernels before 5.13.</summary>
    private const string Everywhere = Sysctl.Netfilter + "nf_conntrack_max";

    /// <summary>Whether it is the initial one: the kernel's log has lines about it without a name, and the machine's limits can be
    /// set there.</summary>
    /// <remarks>The first process tells nothing about it, since a container has its own, and may hide it. The number does
    /// from Linux 6.18 on, and a parameter that the initial namespace alone has does on all kernels.</remarks>
    public static bool? IsInitial(NetworkNamespace? networkNamespace) => NetworkNamespace.RunIn(networkNamespace, bool? () =>
    {
        if (OwnLink() == string.Create(CultureInfo.InvariantCulture, $"net:[{InitialInode}]") || File.Exists(InitialOnly))
            return true;
        return File.Exists(Everywhere) ? false : null;
    });

    /// <summary>Whether boot sets it by the files that we see: it is the namespace of the first process. A container with an
    /// init of its own has such a one too.</summary>
    public static bool? IsSetByBoot(NetworkNamespace? networkNamespace)
    {
        if (LinkOfFirstProcess() is { } first)
            return NetworkNamespace.RunIn(networkNamespace, OwnLink) == first;

        // Hidden, or not readable: in the initial namespace, the machine's own init was the first.
        return IsInitial(networkNamespace);
    }

    /// <summary>Where what all share can be set, from here.</summary>
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
            // Not to be entered from here.
            return false;
        }
    }

    private static string? OwnLink() => new FileInfo("/proc/thread-self/ns/net").LinkTarget;

    /// <summary>Null for a user who may not look at other people's processes.</summary>
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

/// <summary>How long there has been a network namespace for sure. The kernel doesn't tell, and gives the number of one that is gone
/// to a new one.</summary>
internal static class NamespaceAge
{
    /// <summary>Clock ticks of /proc/PID/stat in a second (USER_HZ of asm/param.h), the same for every processor that .NET is for.</summary>
    private const int TicksPerSecond = 100;

    /// <summary>Since its file was made, or the oldest process in it started that we may look at; zero where there is neither.</summary>
    /// <param name="networkNamespace">How the user named it; null for the caller's own.</param>
    /// <param name="identity">Which one it is, such as net:[4026531840].</param>
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
                // It has ended, or is another user's.
            }
        }

        return oldest;
    }

    private static TimeSpan SinceBoot() =>
        TimeSpan.FromSeconds(double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture));

    /// <summary>Field 22 of /proc/PID/stat, since boot. The second is the program's name in parentheses, which may hold anything.
    /// </summary>
    private static TimeSpan StartOf(string stat) =>
        TimeSpan.FromSeconds(double.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture) / TicksPerSecond);
}
