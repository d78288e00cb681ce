namespace ConntrackPS.Linux;

/// <summary>A network namespace could not be found or entered.</summary>
/// <param name="networkNamespace">The name, path or process id that was asked for.</param>
/// <param name="errno">ENOENT when there is none, EPERM or EACCES when entering it needs CAP_SYS_ADMIN,
/// EINVAL when the file is no network namespace, ESTALE when it vanished while it was in use.</param>
public sealed class NetworkNamespaceException(string networkNamespace, Errno errno)
    : Exception(Describe(networkNamespace, errno))
{
    /// <summary>The name, path or process id that was asked for.</summary>
    public string NetworkNamespace { get; } = networkNamespace;

    /// <summary>What the kernel answered.</summary>
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
