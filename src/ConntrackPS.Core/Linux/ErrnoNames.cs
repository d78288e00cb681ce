using System.Globalization;

namespace ConntrackPS.Linux;

/// <summary>Error numbers under the names that the kernel's headers and manual pages use.</summary>
internal static class ErrnoNames
{
    /// <summary>The name, such as EPERM, or <c>errno 71</c> for one that has none here.</summary>
    public static string ToKernelName(this Errno errno) => errno switch
    {
        Errno.NotPermitted => "EPERM",
        Errno.NotFound => "ENOENT",
        Errno.Interrupted => "EINTR",
        Errno.TryAgain => "EAGAIN",
        Errno.OutOfMemory => "ENOMEM",
        Errno.AccessDenied => "EACCES",
        Errno.Busy => "EBUSY",
        Errno.Exists => "EEXIST",
        Errno.InvalidArgument => "EINVAL",
        Errno.TooMany => "EMFILE",
        Errno.NoSpace => "ENOSPC",
        Errno.ReadOnlyFileSystem => "EROFS",
        Errno.BrokenPipe => "EPIPE",
        Errno.OutOfRange => "ERANGE",
        Errno.NotImplemented => "ENOSYS",
        Errno.MessageTooLong => "EMSGSIZE",
        Errno.ProtocolNotSupported => "EPROTONOSUPPORT",
        Errno.NotSupported => "EOPNOTSUPP",
        Errno.AddressFamilyNotSupported => "EAFNOSUPPORT",
        Errno.AddressInUse => "EADDRINUSE",
        Errno.NoBuffers => "ENOBUFS",
        Errno.ShutDown => "ESHUTDOWN",
        Errno.TimedOut => "ETIMEDOUT",
        Errno.Stale => "ESTALE",
        _ => string.Create(CultureInfo.InvariantCulture, $"errno {(int)errno}"),
    };
}
