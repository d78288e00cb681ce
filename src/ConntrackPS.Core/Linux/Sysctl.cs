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

    /// <summary>Writes a number.</summary>
    /// <exception cref="UnauthorizedAccessException">Writing needs CAP_NET_ADMIN, or the parameter is read-only here.</exception>
    /// <exception cref="IOException">The kernel refused the value, or has no such parameter.</exception>
    public static void WriteNumber(string path, long value, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () =>
        {
            // Opened, not created: below /proc a missing parameter must stay an error.
            using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(System.Text.Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture)));
            return true;
        });

    private static long? ReadHere(string path) =>
        File.Exists(path) ? long.Parse(File.ReadAllText(path).AsSpan().Trim(), CultureInfo.InvariantCulture) : null;
}
