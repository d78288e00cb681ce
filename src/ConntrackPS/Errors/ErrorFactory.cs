using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Errors;

/// <summary>Makes every error record: a stable id, the right category, and what to do about it.</summary>
internal static class ErrorFactory
{
    private const string NeedPrivilege = "Run pwsh as root (sudo pwsh), or give it the capability CAP_NET_ADMIN.";

    /// <summary>The record for anything the core library throws.</summary>
    /// <param name="exception">What it threw.</param>
    /// <param name="target">The flow, filter or namespace it is about.</param>
    public static ErrorRecord From(Exception exception, object? target = null) => exception switch
    {
        NetlinkException netlink => FromErrno(netlink, target),
        NetworkNamespaceException missing when missing.Errno == Errno.NotFound => Create(
            exception, "NetworkNamespaceNotFound", ErrorCategory.ObjectNotFound, missing.NetworkNamespace,
            "Give a name that 'ip netns list' shows, a path such as /run/netns/blue, or the id of a process in it."),
        NetworkNamespaceException denied when denied.Errno is Errno.NotPermitted or Errno.AccessDenied => Create(
            exception, "NetworkNamespaceDenied", ErrorCategory.PermissionDenied, denied.NetworkNamespace,
            "Run pwsh as root (sudo pwsh), or give it the capability CAP_SYS_ADMIN."),
        NetworkNamespaceException other => Create(
            exception, "NetworkNamespaceInvalid", ErrorCategory.InvalidArgument, other.NetworkNamespace,
            "Give a name that 'ip netns list' shows, a path such as /run/netns/blue, or the id of a process in it."),
        ConntrackUnavailableException => Create(
            exception, "ConntrackUnavailable", ErrorCategory.NotInstalled, target,
            "Load the kernel modules: modprobe nf_conntrack_netlink."),
        PlatformNotSupportedException => Create(
            exception, "NotLinux", ErrorCategory.NotImplemented, target, "Run this on the Linux router, for example by Invoke-Command -HostName."),
        NetlinkProtocolException => Create(
            exception, "MalformedAnswer", ErrorCategory.ProtocolError, target, "Report this with the output of 'uname -r'."),
        ArgumentException => Create(exception, "InvalidFilter", ErrorCategory.InvalidArgument, target, null),
        _ => Create(exception, "Unexpected", ErrorCategory.NotSpecified, target, null),
    };

    /// <summary>Nothing was named to delete.</summary>
    public static ErrorRecord NoFilter(string command) => Create(
        new ArgumentException($"{command} was given nothing to go by, and would have to take every entry."),
        "NoFilter", ErrorCategory.InvalidArgument, null,
        "Name entries by at least one filter, or pipe them in. To empty the whole table use Clear-ConntrackTable.");

    /// <summary>An object in the pipeline does not name an entry.</summary>
    public static ErrorRecord NotAnEntry(object input, string problem) => Create(
        new ArgumentException($"The object in the pipeline does not name a connection-tracking entry: {problem}"),
        "NotAnEntry", ErrorCategory.InvalidData, input,
        "Pipe objects of Get-ConntrackEntry, or such as were exported from it, with Protocol, SourceAddress, SourcePort, DestinationAddress and DestinationPort.");

    /// <summary>No entry has this tuple, zone and id.</summary>
    public static ErrorRecord NoSuchEntry(EntryKey key) => Create(
        new ItemNotFoundException($"There is no connection-tracking entry {key.Original} in zone {key.Zone}."),
        "EntryNotFound", ErrorCategory.ObjectNotFound, key, "It may have ended, or be in another zone (-Zone) or network namespace.");

    /// <summary>-Exact without a whole tuple.</summary>
    public static ErrorRecord InexactTuple(string problem) => Create(
        new ArgumentException($"-Exact needs one whole tuple: {problem}"), "InexactTuple", ErrorCategory.InvalidArgument, null,
        "Give -Protocol, -SourceAddress, -SourcePort, -DestinationAddress and -DestinationPort one value each, and -Zone where it is not 0.");

    private static ErrorRecord FromErrno(NetlinkException exception, object? target)
    {
        (string id, ErrorCategory category, string? remedy) = exception.Errno switch
        {
            Errno.NotPermitted or Errno.AccessDenied => ("PermissionDenied", ErrorCategory.PermissionDenied, NeedPrivilege),
            Errno.NotFound => ("EntryNotFound", ErrorCategory.ObjectNotFound, "It may have ended meanwhile."),
            Errno.Exists => ("EntryExists", ErrorCategory.ResourceExists, null),
            Errno.InvalidArgument or Errno.OutOfRange => ("RefusedByKernel", ErrorCategory.InvalidArgument, null),
            Errno.Busy => ("Busy", ErrorCategory.ResourceBusy, null),
            Errno.OutOfMemory or Errno.NoSpace => ("LimitExceeded", ErrorCategory.LimitsExceeded, null),
            Errno.NoBuffers => ("MessagesLost", ErrorCategory.LimitsExceeded, "Answers of the kernel were lost; list the table again."),
            Errno.NotSupported => ("NotSupportedByKernel", ErrorCategory.NotImplemented, null),
            Errno.TimedOut => ("NoAnswer", ErrorCategory.OperationTimeout, null),
            _ => ("KernelError", ErrorCategory.NotSpecified, (string?)null),
        };
        return Create(exception, id, category, target, remedy);
    }

    /// <summary>The remedy goes into the message, which every view and every log shows.</summary>
    private static ErrorRecord Create(Exception exception, string id, ErrorCategory category, object? target, string? remedy)
    {
        ErrorRecord record = new(exception, id, category, target);
        string flow = target is ConntrackEntry ? $" The flow: {target}." : "";
        if (remedy is not null || flow.Length > 0)
            record.ErrorDetails = new ErrorDetails($"{exception.Message}{flow} {remedy}".TrimEnd());
        return record;
    }
}
