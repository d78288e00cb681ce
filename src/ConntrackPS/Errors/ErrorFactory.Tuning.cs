using System.Management.Automation;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Errors;

/// <summary>The error records of tuning: timeouts, policies, settings and their files.</summary>
internal static partial class ErrorFactory
{
    /// <summary>A value of a network namespace that boot doesn't make.</summary>
    /// <param name="target">The namespace; null for the caller's own.</param>
    public static ErrorRecord NotPersistable(NetworkNamespace? target) => Create(
        new InvalidOperationException(
            $"What sysctl.d says holds for the network namespace that boot sets up, the initial network namespace: not for {(target is null ? "this one" : $"'{target}'")}."),
        "NotPersistable", ErrorCategory.InvalidOperation, target?.Name,
        "Leave -Persist and -PersistOnly out; what makes the namespace should set its values.");

    /// <summary>A file that boot reads could not be written.</summary>
    /// <param name="exception">Which, and why.</param>
    /// <param name="isSet">Whether the value of now has been set all the same.</param>
    public static ErrorRecord NotPersisted(PersistenceException exception, bool isSet)
    {
        (string id, ErrorCategory category, string remedy) = exception.InnerException switch
        {
            UnusableFileException { IsMask: true } mask => (
                "PersistenceMasked", ErrorCategory.InvalidOperation,
                $" Somebody wants no such file: take the mask away (Remove-Item -LiteralPath '{Quoted(mask.Path)}'), or set the value in another file that boot reads."),
            UnusableFileException other => (
                "NotPersisted", ErrorCategory.WriteError, $" Look at it (Get-Item -Force -LiteralPath '{Quoted(other.Path)}'), and put a file in its place, or nothing."),
            UnauthorizedAccessException => ("NotPersisted", ErrorCategory.PermissionDenied, " Run pwsh as root (sudo pwsh)."),
            _ => ("NotPersisted", ErrorCategory.WriteError, ""),
        };
        return Create(exception, id, category, exception.File, (isSet ? "The present value is set." : "The present value is as it was.") + remedy);
    }

    /// <summary>Where what all namespaces share can be set; nobody is to change a host without knowing that it is one.</summary>
    private static string SetForAll(ReadOnlySettingException exception)
    {
        const string Shared = "All network namespaces of the machine share it, and the initial network namespace alone can set it, for all of them: ";
        if (IsInitial(exception.NetworkNamespace))
            return "The kernel lets nobody change it.";
        return MachineNamespace.Place() switch
        {
            MachinePlace.Here => Shared + "leave -NetworkNamespace out.",
            MachinePlace.OfFirstProcess => $"{Shared}-NetworkNamespace {MachineNamespace.OfFirstProcess}.",
            _ => Shared + "that is the host's.",
        };
    }

    private static bool IsInitial(string? name)
    {
        try
        {
            return MachineNamespace.IsInitial(NetworkNamespace.ParseOrOwn(name)) == true;
        }
        catch (NetworkNamespaceException)
        {
            // Gone meanwhile: a named one that can go is not the initial one.
            return false;
        }
    }

    private static string Quoted(string path) => path.Replace("'", "''", StringComparison.Ordinal);

    /// <summary>-ScaleBucket without a maximum to go by.</summary>
    public static ErrorRecord NothingToScale(string setting) => Create(
        new ArgumentException($"-ScaleBucket goes with Maximum, not with {setting}."), "NothingToScale", ErrorCategory.InvalidArgument, setting, null);

    /// <summary>No timeout to change was named.</summary>
    public static ErrorRecord NoTimeout() => Create(
        new ArgumentException("Set-ConntrackTimeoutPolicy was not told what to change."), "NoChange", ErrorCategory.InvalidArgument, null,
        "Give states their timeouts: -Timeout @{ Established = '1h' }, or -Established 1h.");

    /// <summary>A name that the kernel does not take.</summary>
    public static ErrorRecord InvalidPolicyName(ArgumentException exception, string name) =>
        Create(exception, "InvalidPolicyName", ErrorCategory.InvalidArgument, name, null);

    /// <summary>The kernel refused a request about a timeout policy.</summary>
    public static ErrorRecord PolicyRefused(NetlinkException exception, string name, uint useCount, NetworkNamespace? networkNamespace)
    {
        (string id, ErrorCategory category, string problem, string? remedy) = exception.Errno switch
        {
            Errno.NotFound => ("PolicyNotFound", ErrorCategory.ObjectNotFound, $"There is no timeout policy '{name}'.", $"Those there are: Get-ConntrackTimeoutPolicy{CommandLine.Where(networkNamespace?.Name)}"),
            Errno.Exists => ("PolicyExists", ErrorCategory.ResourceExists, $"There is a timeout policy '{name}' already.", $"To change it in place: Set-ConntrackTimeoutPolicy{CommandLine.Where(networkNamespace?.Name)}"),
            Errno.Busy => ("PolicyInUse", ErrorCategory.ResourceBusy, $"The timeout policy '{name}' is in use by {useCount} rule(s).", $"Delete these rules first; to see them: {(networkNamespace is null ? "" : $"nsenter --net={CommandLine.Quote(networkNamespace.FilePath)} ")}iptables -t raw -S"),
            Errno.NotSupported => ("ProtocolNotTracked", ErrorCategory.NotImplemented, $"The timeout policy '{name}' is for a protocol that this kernel does not track.", null),
            _ => ("", ErrorCategory.NotSpecified, "", null),
        };
        if (id.Length == 0)
            return From(exception, name);
        ErrorRecord record = Create(exception, id, category, name, remedy);
        record.ErrorDetails = new ErrorDetails($"{problem} {remedy}".TrimEnd());
        return record;
    }

    private static ErrorRecord? FromTuning(Exception exception, object? target) => exception switch
    {
        ReadOnlySettingException { Reason: ReadOnlyReason.Mount } mount => Create(
            exception, "ProcSysReadOnly", ErrorCategory.InvalidOperation, target,
            "Containers have it so by default. Its host can set it: Set-ConntrackSetting -NetworkNamespace, with the id of a process of the container. "
            + $"Or start the container with the value (docker and podman: --sysctl {SysctlKey.Of(Path.GetFileName(mount.Path))}=...)."),
        ReadOnlySettingException shared => Create(
            exception, "SettingReadOnly", ErrorCategory.InvalidOperation, target, SetForAll(shared)),
        UnreadableSettingException => Create(
            exception, "SettingUnreadable", ErrorCategory.InvalidData, target, "The others are not concerned."),
        UnknownTimeoutException => Create(exception, "TimeoutNotFound", ErrorCategory.InvalidArgument, target, null),
        UnsupportedTimeoutException => Create(exception, "TimeoutNotSupported", ErrorCategory.NotImplemented, target, null),
        UnknownSettingException unknown => Create(
            exception, "SettingNotFound", ErrorCategory.ObjectNotFound, target,
            unknown.IsOfTimeout ? "Timeouts are with Get-ConntrackTimeout and Set-ConntrackTimeout." : null),
        ValueRangeException { Setting.Kind: SettingKind.Boolean } refused => Create(
            new ValueRangeException(refused.Describe($"{CommandLine.Value(true)} or {CommandLine.Value(false)}")),
            "ValueOutOfRange", ErrorCategory.InvalidArgument, target, null),
        ValueRangeException => Create(exception, "ValueOutOfRange", ErrorCategory.InvalidArgument, target, null),
        UnauthorizedAccessException => Create(exception, "PermissionDenied", ErrorCategory.PermissionDenied, target, NeedPrivilege),
        IOException => Create(exception, "RefusedByKernel", ErrorCategory.InvalidArgument, target, null),
        _ => null,
    };
}
