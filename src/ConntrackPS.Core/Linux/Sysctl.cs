using System.Globalization;

namespace ConntrackPS.Linux;

/// <summary>Kernel parameters below /proc/sys, of any network namespace.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst.</remarks>
internal static class Sysctl
{
    public const string Netfilter = "/proc/sys/net/netfilter/";

    /// <summary>Reads a number, or null where this kernel or namespace has no such parameter.</summary>
    public static long? ReadNumber(string path, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () => ReadHere(path));

    private static long? ReadHere(string path) =>
        File.Exists(path) ? long.Parse(File.ReadAllText(path).AsSpan().Trim(), CultureInfo.InvariantCulture) : null;
}
