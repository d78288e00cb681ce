using System.Globalization;

namespace ConntrackPS.Linux;

/// <summary>The error numbers that this library distinguishes (asm-generic/errno.h). Other values are passed on unchanged.</summary>
public enum Errno
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>EPERM: operation not permitted.</summary>
    NotPermitted = 1,

    /// <summary>ENOENT: no such entry.</summary>
    NotFound = 2,

    /// <summary>EINTR: interrupted by a signal.</summary>
    Interrupted = 4,

    /// <summary>EAGAIN: nothing to read now.</summary>
    TryAgain = 11,

    /// <summary>ENOMEM: the kernel is out of memory.</summary>
    OutOfMemory = 12,

    /// <summary>EACCES: permission denied.</summary>
    AccessDenied = 13,

    /// <summary>EBUSY: in use, or a change the kernel forbids.</summary>
    Busy = 16,

    /// <summary>EEXIST: already exists.</summary>
    Exists = 17,

    /// <summary>EINVAL: invalid argument.</summary>
    InvalidArgument = 22,

    /// <summary>EMFILE: the maximum number is reached.</summary>
    TooMany = 24,

    /// <summary>ENOSPC: no room.</summary>
    NoSpace = 28,

    /// <summary>EROFS: read-only file system.</summary>
    ReadOnlyFileSystem = 30,

    /// <summary>EPIPE: records of the kernel's log were overwritten before they could be read.</summary>
    BrokenPipe = 32,

    /// <summary>ERANGE: value out of range.</summary>
    OutOfRange = 34,

    /// <summary>ENOSYS: this kernel has no such call.</summary>
    NotImplemented = 38,

    /// <summary>EMSGSIZE: message too long for the send buffer.</summary>
    MessageTooLong = 90,

    /// <summary>EPROTONOSUPPORT: the kernel lacks this netlink family.</summary>
    ProtocolNotSupported = 93,

    /// <summary>EOPNOTSUPP: operation not supported.</summary>
    NotSupported = 95,

    /// <summary>EAFNOSUPPORT: address family not supported.</summary>
    AddressFamilyNotSupported = 97,

    /// <summary>EADDRINUSE: another socket has the address.</summary>
    AddressInUse = 98,

    /// <summary>ENOBUFS: the receive buffer overran; messages were lost.</summary>
    NoBuffers = 105,

    /// <summary>ESHUTDOWN: the other side has closed.</summary>
    ShutDown = 108,

    /// <summary>ETIMEDOUT: no answer in time.</summary>
    TimedOut = 110,

    /// <summary>ESTALE: the object that a name referred to is gone.</summary>
    Stale = 116,
}

/// <summary>Error numbers by the names of kernel headers and manual pages.</summary>
internal static class ErrnoNames
{
    /// <summary>The name, such as EPERM, or <c>errno 71</c> if this library has no name for it.</summary>
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
