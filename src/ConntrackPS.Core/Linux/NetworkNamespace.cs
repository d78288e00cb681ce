using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>A network namespace, by the name <c>ip netns</c> gave it, a path to its file, or a process in it.</summary>
/// <remarks>network_namespaces(7), setns(2). All that is read from the kernel or written to it is so in a namespace: on a system
/// without any, the members end with <see cref="PlatformNotSupportedException"/> before they touch libc.</remarks>
public sealed class NetworkNamespace
{
    /// <summary>The folder where <c>ip netns add</c> keeps the files of namespaces.</summary>
    internal const string NamedDirectory = "/run/netns";

    private const string OwnFile = "/proc/thread-self/ns/net";

    /// <summary>The maximum number of threads that visit namespaces in parallel.</summary>
    private const int MostAtOnce = 4;

    private NetworkNamespace(string name, string path) => (Name, FilePath) = (name, path);

    /// <summary>The user's name for it: a name, a path or a process id.</summary>
    public string Name { get; }

    /// <summary>The path of the namespace file.</summary>
    public string FilePath { get; }

    /// <summary>The time when the namespace was created. It distinguishes the namespace from an earlier one with the same name and number.
    /// Null for a namespace named by a process id, because the kernel creates that file on access.</summary>
    internal DateTime? Made =>
        FilePath.StartsWith("/proc/", StringComparison.Ordinal) ? null : File.GetLastWriteTimeUtc(FilePath);

    /// <summary>Finds a namespace by name, path or process id. A name takes precedence over an equal process id.</summary>
    /// <param name="value">A name below /run/netns, a path with a slash, or a process id.</param>
    /// <exception cref="NetworkNamespaceException">There is none of that name, path or process.</exception>
    /// <exception cref="PlatformNotSupportedException">This system is not Linux.</exception>
    public static NetworkNamespace Parse(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Platform.RequireLinux();
        NetworkNamespace found = new(value, PathOf(value));
        return File.Exists(found.FilePath) ? found : throw new NetworkNamespaceException(value, Errno.NotFound);
    }

    /// <summary>The namespace of a name, as found by <see cref="Parse"/>. Null for null, which means the caller's own.</summary>
    /// <exception cref="NetworkNamespaceException">No such name, path or process exists.</exception>
    internal static NetworkNamespace? ParseOrOwn(string? value) => value is null ? null : Parse(value);

    /// <summary>The names that <c>ip netns list</c> shows, sorted; none if there are no namespaces.</summary>
    public static IReadOnlyList<string> Names() =>
        Platform.IsLinux && Directory.Exists(NamedDirectory)
            ? [.. Directory.EnumerateFiles(NamedDirectory).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>This process's own namespace under its <c>ip netns</c> name, or null if it has none.</summary>
    internal static NetworkNamespace? FindOwnName()
    {
        Platform.RequireLinux();
        string identity = ReadIdentity(null);
        return Names().Select(name => new NetworkNamespace(name, Path.Combine(NamedDirectory, name))).FirstOrDefault(named => named.LeadsTo(identity));
    }

    /// <summary>Runs an action inside the namespace, on a separate thread that ends with it.</summary>
    /// <remarks>A socket opened inside stays in the namespace and may be used from any thread. On that thread /proc/sys/net and
    /// /proc/thread-self/net show the namespace; /proc/net does not.</remarks>
    /// <exception cref="NetworkNamespaceException">The namespace is gone, or entering it is not permitted.</exception>
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

    /// <summary>Runs an action in each of many namespaces, a few in parallel. Each thread visits many namespaces, while <see cref="Run"/>
    /// creates one thread per call.</summary>
    /// <returns>The results of the action, in the order of the namespaces. The default value where it failed or where the namespace can't
    /// be entered.</returns>
    internal static T?[] RunInAll<T>(IReadOnlyList<NetworkNamespace> namespaces, Func<T> action)
    {
        Platform.RequireLinux();
        T?[] results = new T?[namespaces.Count];
        int next = -1;
        Thread[] threads = [.. Enumerable.Range(0, Math.Min(MostAtOnce, namespaces.Count)).Select(_ =>
            new Thread(Go, 256 * 1024) { IsBackground = true, Name = "ConntrackPS namespaces" })];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        return results;

        void Go()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < namespaces.Count;)
            {
                try
                {
                    namespaces[i].Enter();
                    results[i] = action();
                }
                catch (Exception)
                {
                    // A caller that needs this namespace enters it again, and gets the error then.
                }
            }
        }
    }

    /// <summary>The kernel's name for the namespace that the name currently refers to, or for this process's own: such as net:[4026531840].
    /// Reads only the status of its file, and enters nothing.</summary>
    /// <exception cref="NetworkNamespaceException">ENOENT: the name no longer exists. EINVAL: the file is not a network
    /// namespace.</exception>
    internal static string ReadIdentity(NetworkNamespace? networkNamespace)
    {
        Platform.RequireLinux();
        return networkNamespace is null ? File.ResolveLinkTarget(OwnFile, returnFinalTarget: false)!.Name : networkNamespace.IdentityOfFile();
    }

    private string IdentityOfFile()
    {
        // Opened only for its status: with O_PATH neither a pipe nor a device can block.
        using SafeFileHandle file = LibC.Open(FilePath, O_PATH | O_CLOEXEC);
        if (file.IsInvalid)
            throw new NetworkNamespaceException(Name, (Errno)Marshal.GetLastPInvokeError());
        using SafeFileHandle own = LibC.Open(OwnFile, O_PATH | O_CLOEXEC);
        FileStatus status = FileStatus.Of(file);

        // Inode numbers are unique only within the file system of namespaces.
        if (!own.IsInvalid && FileStatus.Of(own).FileSystem != status.FileSystem)
            throw new NetworkNamespaceException(Name, Errno.InvalidArgument);
        return string.Create(CultureInfo.InvariantCulture, $"net:[{status.Inode}]");
    }

    /// <summary>True if the name still refers to the same namespace as before.</summary>
    /// <param name="identity">The earlier result of <see cref="ReadIdentity"/>.</param>
    internal bool LeadsTo(string identity)
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
    /// <exception cref="PlatformNotSupportedException">This system is not Linux.</exception>
    internal static T RunIn<T>(NetworkNamespace? networkNamespace, Func<T> action)
    {
        Platform.RequireLinux();
        return networkNamespace is null ? action() : networkNamespace.Run(action);
    }

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
        // O_PATH first: opening a pipe blocks until its other end opens, and its owner would notice. A device may react to being opened.
        using SafeFileHandle found = Open(FilePath, O_PATH);
        if (FileStatus.Of(found).Kind != FileKind.Regular)
            throw new NetworkNamespaceException(Name, Errno.InvalidArgument);
        using SafeFileHandle file = Open($"/proc/self/fd/{found.DangerousGetHandle()}", O_RDONLY | O_NONBLOCK);
        if (LibC.SetNamespace(file, CLONE_NEWNET) != 0)
            throw new NetworkNamespaceException(Name, (Errno)Marshal.GetLastPInvokeError());
    }

    private SafeFileHandle Open(string path, int flags)
    {
        SafeFileHandle file = LibC.Open(path, flags | O_CLOEXEC);
        return file.IsInvalid ? throw new NetworkNamespaceException(Name, (Errno)Marshal.GetLastPInvokeError()) : file;
    }
}

/// <summary>A network namespace could not be found or entered.</summary>
/// <param name="networkNamespace">The requested name, path or process id.</param>
/// <param name="errno">ENOENT if it does not exist. EPERM or EACCES if entering it needs CAP_SYS_ADMIN. EINVAL if the file is not a network
/// namespace. ESTALE if it was deleted while it was in use.</param>
public sealed class NetworkNamespaceException(string networkNamespace, Errno errno)
    : Exception(Describe(networkNamespace, errno))
{
    /// <summary>The requested name, path or process id.</summary>
    public string NetworkNamespace { get; } = networkNamespace;

    /// <summary>The error number from the kernel.</summary>
    public Errno Errno { get; } = errno;

    private static string Describe(string networkNamespace, Errno errno) => errno switch
    {
        Errno.NotFound => $"There is no network namespace '{networkNamespace}'.",
        Errno.NotPermitted or Errno.AccessDenied => $"Entering the network namespace '{networkNamespace}' is not permitted.",
        Errno.InvalidArgument => $"'{networkNamespace}' is not a network namespace.",
        Errno.Stale => $"The network namespace '{networkNamespace}' was deleted.",
        _ => $"The network namespace '{networkNamespace}' could not be entered ({errno.ToKernelName()}).",
    };
}
