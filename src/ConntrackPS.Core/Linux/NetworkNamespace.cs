using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>A network namespace, by the name <c>ip netns</c> gave it, a path to its file, or a process in it.</summary>
/// <remarks>network_namespaces(7), setns(2).</remarks>
public sealed class NetworkNamespace
{
    /// <summary>Where <c>ip netns add</c> keeps the namespaces' files.</summary>
    public const string NamedDirectory = "/run/netns";

    private NetworkNamespace(string name, string path) => (Name, FilePath) = (name, path);

    /// <summary>What the user called it: a name, a path or a process id.</summary>
    public string Name { get; }

    /// <summary>The file that stands for the namespace.</summary>
    public string FilePath { get; }

    /// <summary>When the namespace was made, which tells it from an earlier one of its name and number; null for one named
    /// by a process, whose file is made when it is looked at.</summary>
    internal DateTime? Made =>
        FilePath.StartsWith("/proc/", StringComparison.Ordinal) ? null : File.GetLastWriteTimeUtc(FilePath);

    /// <summary>Finds a namespace by name, path or process id; a name wins over an equal process id.</summary>
    /// <param name="value">A name below /run/netns, a path with a slash, or a process id.</param>
    /// <exception cref="NetworkNamespaceException">There is none of that name, path or process.</exception>
    public static NetworkNamespace Parse(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        NetworkNamespace found = new(value, PathOf(value));
        return File.Exists(found.FilePath) ? found : throw new NetworkNamespaceException(value, Errno.NotFound);
    }

    /// <summary>The namespace of a name, as <see cref="Parse"/> finds it; null for no name: the caller's own.</summary>
    /// <exception cref="NetworkNamespaceException">There is none of that name, path or process.</exception>
    public static NetworkNamespace? ParseOrOwn(string? value) => value is null ? null : Parse(value);

    /// <summary>The names that <c>ip netns list</c> shows, sorted.</summary>
    public static IReadOnlyList<string> Names() =>
        Directory.Exists(NamedDirectory)
            ? [.. Directory.EnumerateFiles(NamedDirectory).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>This process's own namespace under the name that <c>ip netns</c> has for it; null where it has none.</summary>
    public static NetworkNamespace? FindOwnName()
    {
        string identity = ReadIdentity(null);
        return Names().Select(name => new NetworkNamespace(name, Path.Combine(NamedDirectory, name))).FirstOrDefault(named => named.LeadsTo(identity));
    }

    /// <summary>Runs an action inside the namespace, on a thread of its own that ends with it.</summary>
    /// <remarks>A socket opened inside stays there and may be used from any thread. On that thread /proc/sys/net
    /// shows the namespace, and so does /proc/thread-self/net; /proc/net does not.</remarks>
    /// <exception cref="NetworkNamespaceException">The namespace vanished, or entering it is not permitted.</exception>
    public T Run<T>(Func<T> action)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                Enter();
                result = action();
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
        }, 256 * 1024)
        { IsBackground = true, Name = "ConntrackPS namespace " + Name };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    /// <summary>Which namespace the name leads to now, or which one this is: the kernel's own name, such as net:[4026531840].</summary>
    /// <exception cref="NetworkNamespaceException">ENOENT: the name leads nowhere any more.</exception>
    public static string ReadIdentity(NetworkNamespace? networkNamespace) =>
        RunIn(networkNamespace, () => File.ResolveLinkTarget("/proc/thread-self/ns/net", returnFinalTarget: false)!.Name);

    /// <summary>Whether the name still leads to the namespace it led to before.</summary>
    /// <param name="identity">What <see cref="ReadIdentity"/> told then.</param>
    public bool LeadsTo(string identity)
    {
        try
        {
            return ReadIdentity(this) == identity;
        }
        catch (NetworkNamespaceException exception) when (exception.Errno is Errno.NotFound or Errno.InvalidArgument)
        {
            return false;
        }
    }

    /// <summary>Runs an action in the given namespace, or right here when there is none.</summary>
    public static T RunIn<T>(NetworkNamespace? networkNamespace, Func<T> action) =>
        networkNamespace is null ? action() : networkNamespace.Run(action);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static string PathOf(string value)
    {
        if (value.Contains('/', StringComparison.Ordinal))
            return value;
        string named = Path.Combine(NamedDirectory, value);
        return !File.Exists(named) && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            ? $"/proc/{process}/ns/net"
            : named;
    }

    private void Enter()
    {
        // Looked at first: a pipe would be waited at for its other end, whose owner would notice, and a device may do something.
        using SafeFileHandle found = Open(FilePath, LibC.O_PATH);
        if (FileStatus.Of(found).Kind != FileKind.Regular)
            throw new NetworkNamespaceException(Name, Errno.InvalidArgument);
        using SafeFileHandle file = Open($"/proc/self/fd/{found.DangerousGetHandle()}", LibC.O_RDONLY | LibC.O_NONBLOCK);
        if (LibC.SetNamespace(file, LibC.CLONE_NEWNET) != 0)
            throw new NetworkNamespaceException(Name, (Errno)Marshal.GetLastPInvokeError());
    }

    private SafeFileHandle Open(string path, int flags)
    {
        int descriptor = LibC.Open(path, flags | LibC.O_CLOEXEC);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw new NetworkNamespaceException(Name, (Errno)Marshal.GetLastPInvokeError());
    }
}
