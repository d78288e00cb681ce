using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>Kernel parameters below /proc/sys, in any network namespace.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst.</remarks>
internal static class Sysctl
{
    public const string Netfilter = "/proc/sys/net/netfilter/";

    /// <summary>The maximum number of bytes to read from a file: the kernel returns at most a page.</summary>
    private const int MostBytes = 4096;

    private const int LongestShown = 60;

    /// <summary>Reads a number. Null if this kernel or namespace does not have the parameter.</summary>
    /// <exception cref="UnreadableSettingException">The value is not a single signed number of 64 bits.</exception>
    public static long? ReadNumber(string path, NetworkNamespace? networkNamespace = null) => ReadWide(path, networkNamespace) switch
    {
        null => null,
        { } number when number >= long.MinValue && number <= long.MaxValue => (long)number,
        { } number => throw new UnreadableSettingException(path, string.Create(CultureInfo.InvariantCulture, $"has the value {number}, which is out of range")),
    };

    /// <summary>Like ReadNumber, for parameters up to the kernel's widest type, unsigned long.</summary>
    /// <exception cref="UnreadableSettingException">The value is not a single number, or can't be read.</exception>
    public static Int128? ReadWide(string path, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () => ReadHere(path));

    /// <summary>Writes a number.</summary>
    /// <exception cref="ReadOnlySettingException">The parameter can't be changed in this namespace.</exception>
    /// <exception cref="UnauthorizedAccessException">Writing needs CAP_NET_ADMIN.</exception>
    /// <exception cref="IOException">The kernel refused the value, or does not have the parameter.</exception>
    public static void WriteNumber(string path, Int128 value, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () =>
        {
            // Opened without O_CREAT: below /proc a missing parameter must stay an error.
            using SafeFileHandle file = LibC.Open(path, O_WRONLY | O_CLOEXEC);
            if (file.IsInvalid || !TryWrite(file, value))
                throw Refusal(path, networkNamespace, Marshal.GetLastPInvokeError());
            return true;
        });

    /// <summary>Reads one of several parameters. If it can't be read, reports it and returns null.</summary>
    public static T? TryRead<T>(Func<T?> read, Action<UnreadableSettingException>? tell)
    {
        try
        {
            return read();
        }
        catch (UnreadableSettingException exception) when (tell is not null)
        {
            tell(exception);
            return default;
        }
    }

    /// <summary>The reason why the parameter can't be written here, whatever privilege the caller has. Null if it can be written.</summary>
    public static ReadOnlyReason? WhyReadOnly(string path)
    {
        if (!HasWriteBit(path))
            return ReadOnlyReason.Namespace;

        // Opening has no effect. A caller who may not open it can't find out about the mount.
        using SafeFileHandle file = LibC.Open(path, O_WRONLY | O_CLOEXEC);
        return file.IsInvalid && (Errno)Marshal.GetLastPInvokeError() == Errno.ReadOnlyFileSystem ? ReadOnlyReason.Mount : null;
    }

    /// <summary>The names of the parameters whose file name starts with the prefix, sorted.</summary>
    public static IReadOnlyList<string> Names(string prefix, NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, string[] () => Directory.Exists(Netfilter)
            ? [.. Directory.EnumerateFiles(Netfilter, prefix + "*").Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : []);

    private static Int128? ReadHere(string path)
    {
        if (!File.Exists(path))
            return null;
        string text;
        try
        {
            using NamedFile file = NamedFile.Open(path, () => false);
            byte[] bytes = new byte[MostBytes];
            text = Encoding.Latin1.GetString(bytes, 0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)).Trim();
        }
        catch (Exception exception) when (exception is (IOException and not FileNotFoundException) or UnauthorizedAccessException)
        {
            // The missing file is an assembly: there is no libc assembly for this processor.
            throw new UnreadableSettingException(path, $"can't be read: {exception.Message}", exception);
        }

        return Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out Int128 number) && number >= long.MinValue && number <= ulong.MaxValue
            ? number
            : throw new UnreadableSettingException(path, text.Length == 0 ? "is empty, not a number" : $"has the value '{Shorten(text)}', which is not one number");
    }

    private static string Shorten(string text) => text.Length > LongestShown ? text[..LongestShown] + "..." : text;

    /// <summary>Three causes have three remedies: the namespace, the mount, and the caller's privileges.</summary>
    private static Exception Refusal(string path, NetworkNamespace? networkNamespace, int errno) => (Errno)errno switch
    {
        Errno.NotPermitted or Errno.AccessDenied or Errno.ReadOnlyFileSystem when !HasWriteBit(path) =>
            new ReadOnlySettingException(path, networkNamespace?.Name, ReadOnlyReason.Namespace),
        Errno.ReadOnlyFileSystem => new ReadOnlySettingException(path, networkNamespace?.Name, ReadOnlyReason.Mount),
        Errno.NotPermitted or Errno.AccessDenied => new UnauthorizedAccessException($"Access to the path '{path}' is denied."),
        _ => FileErrors.Of(path, errno),
    };

    private static bool TryWrite(SafeFileHandle file, Int128 value) =>
        LibC.Write(file, Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture))) >= 0;

    /// <summary>Root ignores the mode of ordinary files, but not below /proc/sys.</summary>
    private static bool HasWriteBit(string path) => Platform.IsLinux && File.Exists(path) && (File.GetUnixFileMode(path) & UnixFileMode.UserWrite) != 0;
}

/// <summary>The reason why a kernel parameter can't be written here, whatever privilege the caller has.</summary>
public enum ReadOnlyReason
{
    /// <summary>The file mode forbids it: the network namespace can only read the parameter, because all namespaces share it.</summary>
    Namespace,

    /// <summary>EROFS: /proc/sys is mounted read-only, as in containers.</summary>
    Mount,
}

/// <summary>A kernel parameter that can't be written from here, whatever privilege the caller has.</summary>
/// <param name="path">Its file below /proc/sys.</param>
/// <param name="networkNamespace">The namespace as the user named it, or null for the caller's own.</param>
/// <param name="reason">The reason.</param>
public sealed class ReadOnlySettingException(string path, string? networkNamespace, ReadOnlyReason reason)
    : Exception(Describe(path, networkNamespace, reason))
{
    /// <summary>The parameter's file below /proc/sys.</summary>
    public string Path { get; } = path;

    /// <summary>The namespace as the user named it, or null for the caller's own.</summary>
    public string? NetworkNamespace { get; } = networkNamespace;

    /// <summary>The reason why it can't be written.</summary>
    public ReadOnlyReason Reason { get; } = reason;

    private static string Describe(string path, string? networkNamespace, ReadOnlyReason reason)
    {
        string name = System.IO.Path.GetFileName(path);
        if (reason == ReadOnlyReason.Mount)
            return $"{name} can't be written from here: /proc/sys is mounted read-only.";
        string where = networkNamespace is null ? "this network namespace" : $"network namespace '{networkNamespace}'";
        return $"{name} is read-only in {where}.";
    }
}

/// <summary>A kernel parameter with an unusable value.</summary>
/// <param name="path">Its file below /proc/sys.</param>
/// <param name="problem">The problem, as the rest of a sentence that starts with the path.</param>
/// <param name="inner">The cause.</param>
public sealed class UnreadableSettingException(string path, string problem, Exception? inner = null)
    : Exception($"{System.IO.Path.GetFileName(path)} {problem}.", inner)
{
    /// <summary>The parameter's file below /proc/sys.</summary>
    public string Path { get; } = path;
}

/// <summary>The running kernel can't answer questions about connection tracking.</summary>
/// <param name="message">The missing feature.</param>
/// <param name="inner">The cause.</param>
public class ConntrackUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
