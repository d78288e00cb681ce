using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Errors;

/// <summary>The error records of tuning: timeouts, policies, settings and their files.</summary>
internal static partial class ErrorFactory
{
    /// <summary>A value cannot be persisted, because boot does not set up the network namespace.</summary>
    /// <param name="target">The namespace; null for the caller's own.</param>
    public static ErrorRecord NotPersistable(NetworkNamespace? target) => Create(
        new InvalidOperationException(
            $"sysctl.d applies to the initial network namespace, which boot sets up. It does not apply to {(target is null ? "this one" : $"'{target}'")}."),
        ErrorId.NotPersistable, ErrorCategory.InvalidOperation, target?.Name,
        "Omit -Persist and -PersistOnly. Set the values in the program that creates the namespace.");

    /// <summary>A file that boot reads could not be written.</summary>
    /// <param name="exception">The file, and the reason.</param>
    /// <param name="isSet">True if the current value was set anyway.</param>
    public static ErrorRecord NotPersisted(PersistenceException exception, bool isSet)
    {
        (ErrorId id, ErrorCategory category, string remedy) = exception.InnerException switch
        {
            UnusableFileException { IsMask: true } mask => (
                ErrorId.PersistenceMasked, ErrorCategory.InvalidOperation,
                $" An administrator masked this file. Remove the mask (Remove-Item -LiteralPath {CommandLine.Quote(mask.Path)}), or set the value in another file that boot reads."),
            UnusableFileException other => (
                ErrorId.NotPersisted, ErrorCategory.WriteError, $" Check it (Get-Item -Force -LiteralPath {CommandLine.Quote(other.Path)}), and delete it or replace it with a file."),
            UnauthorizedAccessException => (ErrorId.NotPersisted, ErrorCategory.PermissionDenied, " Run pwsh as root (sudo pwsh)."),
            _ => (ErrorId.NotPersisted, ErrorCategory.WriteError, ""),
        };
        return Create(exception, id, category, exception.File, (isSet ? "The current value is set." : "The current value is not changed.") + remedy);
    }

    /// <summary>Says where a value can be set that all namespaces share, and that setting it changes the whole machine.</summary>
    private static string SetForAll(ReadOnlySettingException exception)
    {
        const string Shared = "All network namespaces of the machine share it. Only the initial network namespace can set it, for all of them: ";
        if (IsInitial(exception.NetworkNamespace))
            return "The kernel does not allow changing it.";
        return MachineNamespace.Place() switch
        {
            MachinePlace.Here => Shared + "omit -NetworkNamespace.",
            MachinePlace.OfFirstProcess => $"{Shared}-NetworkNamespace {MachineNamespace.OfFirstProcess}.",
            _ => Shared + "set it on the host.",
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
            // It no longer exists, so it is not the initial namespace.
            return false;
        }
    }

    /// <summary>-ScaleBucket was given without Maximum.</summary>
    public static ErrorRecord NothingToScale(string setting) => Create(
        new ArgumentException($"-ScaleBucket works with Maximum, not with {setting}."), ErrorId.NothingToScale, ErrorCategory.InvalidArgument, setting, null);

    /// <summary>No new timeout was given.</summary>
    public static ErrorRecord NoTimeout() => Create(
        new ArgumentException("No change was given for Set-ConntrackTimeoutPolicy."), ErrorId.NoChange, ErrorCategory.InvalidArgument, null,
        "Give timeouts per state: -Timeout @{ Established = '1h' }, or -Established 1h.");

    /// <summary>The kernel does not accept the name.</summary>
    public static ErrorRecord InvalidPolicyName(ArgumentException exception, string name) =>
        Create(exception, ErrorId.InvalidPolicyName, ErrorCategory.InvalidArgument, name, null);

    /// <summary>The kernel refused a request about a timeout policy.</summary>
    public static ErrorRecord PolicyRefused(NetlinkException exception, string name, uint useCount, NetworkNamespace? networkNamespace)
    {
        (ErrorId id, ErrorCategory category, string problem, string? remedy) = exception.Errno switch
        {
            Errno.NotFound => (ErrorId.PolicyNotFound, ErrorCategory.ObjectNotFound, $"There is no timeout policy '{name}'.", $"To list the policies: Get-ConntrackTimeoutPolicy{CommandLine.Where(networkNamespace?.Name)}"),
            Errno.Exists => (ErrorId.PolicyExists, ErrorCategory.ResourceExists, $"A timeout policy '{name}' already exists.", $"To change it in place: Set-ConntrackTimeoutPolicy{CommandLine.Where(networkNamespace?.Name)}"),
            Errno.Busy => (ErrorId.PolicyInUse, ErrorCategory.ResourceBusy, $"The timeout policy '{name}' is used by {Counted.Of(useCount, "rule", "rules")}.", $"Delete the rules first. To list them: {(networkNamespace is null ? "" : $"nsenter --net={CommandLine.Quote(networkNamespace.FilePath)} ")}iptables -t raw -S"),
            Errno.NotSupported => (ErrorId.ProtocolNotTracked, ErrorCategory.NotImplemented, $"The timeout policy '{name}' is for a protocol that this kernel does not track.", null),
            _ => (ErrorId.KernelError, ErrorCategory.NotSpecified, "", null),
        };
        if (id == ErrorId.KernelError)
            return From(exception, name);
        ErrorRecord record = Create(exception, id, category, name, remedy);
        record.ErrorDetails = new ErrorDetails($"{problem} {remedy}".TrimEnd());
        return record;
    }

    private static ErrorRecord? FromTuning(Exception exception, object? target) => exception switch
    {
        ReadOnlySettingException { Reason: ReadOnlyReason.Mount } mount => Create(
            exception, ErrorId.ProcSysReadOnly, ErrorCategory.InvalidOperation, target,
            "This is the default in containers. Set it on the host: Set-ConntrackSetting -NetworkNamespace, with the id of a process of the container. "
            + $"Or start the container with the value (docker and podman: --sysctl {SysctlKey.Of(Path.GetFileName(mount.Path))}=...)."),
        ReadOnlySettingException shared => Create(
            exception, ErrorId.SettingReadOnly, ErrorCategory.InvalidOperation, target, SetForAll(shared)),
        PersistenceException persistence => NotPersisted(persistence, isSet: false),
        UnreadableSettingException => Create(
            exception, ErrorId.SettingUnreadable, ErrorCategory.InvalidData, target, "The other settings are not affected."),
        UnknownTimeoutException => Create(exception, ErrorId.TimeoutNotFound, ErrorCategory.InvalidArgument, target, null),
        UnsupportedTimeoutException => Create(exception, ErrorId.TimeoutNotSupported, ErrorCategory.NotImplemented, target, null),
        UnknownSettingException unknown => Create(
            exception, ErrorId.SettingNotFound, ErrorCategory.ObjectNotFound, target,
            unknown.IsOfTimeout ? "For timeouts, use Get-ConntrackTimeout and Set-ConntrackTimeout." : null),
        ValueRangeException { Setting.Kind: SettingKind.Boolean } refused => Create(
            new ValueRangeException(refused.Describe($"{CommandLine.Value(true)} or {CommandLine.Value(false)}")),
            ErrorId.ValueOutOfRange, ErrorCategory.InvalidArgument, target, null),
        ValueRangeException => Create(exception, ErrorId.ValueOutOfRange, ErrorCategory.InvalidArgument, target, null),
        UnauthorizedAccessException => Create(exception, ErrorId.PermissionDenied, ErrorCategory.PermissionDenied, target, NeedPrivilege),
        IOException => Create(exception, ErrorId.RefusedByKernel, ErrorCategory.InvalidArgument, target, null),
        _ => null,
    };
}
