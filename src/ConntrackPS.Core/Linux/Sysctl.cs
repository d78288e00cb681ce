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
    /// <exception cref="ReadOnlySettingException">The namespace can't change the parameter.</exception>
    /// <exception cref="UnauthorizedAccessException">Writing needs CAP_NET_ADMIN.</exception>
    /// <exception cref="IOException">The kernel refused the value, or has no such parameter.</exception>
    public static void WriteNumber(string path, long value, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () =>
        {
            try
            {
                // Opened, not created: below /proc a missing parameter must stay an error.
                using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
                file.Write(System.Text.Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture)));
                return true;
            }
            catch (Exception exception) when (IsReadOnly(exception, path))
            {
                throw new ReadOnlySettingException(path, networkNamespace?.Name, exception);
            }
        });

    /// <summary>Whether the parameter can be written in a namespace at all, by whoever has the privilege.</summary>
    public static bool IsWritable(string path, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () => File.Exists(path) && HasWriteBit(path));

    /// <summary>The names of the parameters whose file name begins so, sorted.</summary>
    public static IReadOnlyList<string> Names(string prefix, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, string[] () => Directory.Exists(Netfilter)
            ? [.. Directory.EnumerateFiles(Netfilter, prefix + "*").Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : []);

    private static long? ReadHere(string path) =>
        File.Exists(path) ? long.Parse(File.ReadAllText(path).AsSpan().Trim(), CultureInfo.InvariantCulture) : null;

    private static bool IsReadOnly(Exception exception, string path) => exception switch
    {
        UnauthorizedAccessException => !HasWriteBit(path),
        FileNotFoundException or DirectoryNotFoundException => false,

        // Containers have /proc/sys mounted read-only.
        IOException => exception.HResult == (int)Errno.ReadOnlyFileSystem,
        _ => false,
    };

    /// <summary>Root passes by the mode of ordinary files, but not below /proc/sys.</summary>
    private static bool HasWriteBit(string path) => OperatingSystem.IsLinux() && (File.GetUnixFileMode(path) & UnixFileMode.UserWrite) != 0;
}
