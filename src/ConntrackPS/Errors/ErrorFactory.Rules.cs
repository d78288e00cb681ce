using System.Management.Automation;
using ConntrackPS.Helpers;
using ConntrackPS.Rules;
using ConntrackPS.Rules.Tracking;

namespace ConntrackPS.Errors;

/// <summary>The error records of rules for traffic: helpers, exemptions and limits.</summary>
internal static partial class ErrorFactory
{
    /// <summary>No rule has the name.</summary>
    public static ErrorRecord NoSuchRule(string name) => Create(
        new ItemNotFoundException($"There is no rule '{name}'."), ErrorId.RuleNotFound, ErrorCategory.ObjectNotFound, name, "Get-ConntrackRule lists the rules.");

    /// <summary>A rule for all traffic was asked for.</summary>
    public static ErrorRecord NoTraffic(string command) => Create(
        new ArgumentException($"{command} needs at least one condition. It never applies to all traffic."), ErrorId.NoTraffic, ErrorCategory.InvalidArgument, null,
        "Give the traffic, for example -Protocol Udp -DestinationPort 53.");

    /// <summary>No exemption from tracking has the name, or names the traffic.</summary>
    /// <param name="exemption">The name or the traffic.</param>
    public static ErrorRecord NoSuchExemption(string exemption) => Create(
        new ItemNotFoundException($"There is no exemption from tracking '{exemption}'."), ErrorId.RuleNotFound, ErrorCategory.ObjectNotFound, exemption,
        "Get-ConntrackRule -Kind NoTrack lists them.");

    /// <summary>The source of the user's SSH connection has as many connections as a limit allows.</summary>
    public static ErrorRecord OwnSourceAtLimit(LimitedSource source) => Create(
        new InvalidOperationException(FormattableString.Invariant(
            $"This would refuse new SSH connections from where the command runs: {source.Source} has {source.Count} connections now, and the limit is {source.Maximum}.")),
        ErrorId.OwnConnection, ErrorCategory.InvalidOperation, source,
        FormattableString.Invariant($"Exempt it (-ExemptAddress {source.Source}), or raise -Maximum above {source.Count}. To add the limit anyway, use -Force."));

    /// <summary>No rule that can be removed here attaches the helper.</summary>
    public static ErrorRecord HelperNotEnabled(string helper) => Create(
        new ItemNotFoundException($"No rule of this PowerShell process and no persisted rule attaches the helper {helper}."),
        ErrorId.HelperNotEnabled, ErrorCategory.ObjectNotFound, helper, $"(Get-ConntrackHelper {CommandLine.Quote(helper)}).Rules lists all rules that attach it.");

    private static ErrorRecord OfHelper(HelperRefusedException refused)
    {
        (ErrorId id, ErrorCategory category, string remedy) = refused.Reason switch
        {
            HelperRefusal.Unsafe => (
                ErrorId.HelperUnsafe, ErrorCategory.InvalidOperation,
                refused.NeedsServers ? "Give the servers as -DestinationAddress. To attach it anyway, use -Force."
                    : "Give the servers as -DestinationAddress, or the clients as -SourceAddress. To attach it anyway, use -Force."),
            HelperRefusal.NoPort => (ErrorId.HelperHasNoPort, ErrorCategory.InvalidArgument, "Enable one of these."),
            HelperRefusal.Contradiction => (ErrorId.ContradictoryFilter, ErrorCategory.InvalidArgument, $"Change -{refused.Property}."),
            _ => (ErrorId.HelperMismatch, ErrorCategory.InvalidArgument, $"Omit or change -{refused.Property}."),
        };
        return Create(refused, id, category, refused.Helper, remedy);
    }

    private static ErrorRecord OfModule(HelperModuleException module)
    {
        (ErrorId id, ErrorCategory category, string remedy) = module.Problem switch
        {
            HelperModuleProblem.Blacklisted => (
                ErrorId.HelperModuleBlacklisted, ErrorCategory.InvalidOperation, "Remove this line, if you want the helper. No rule was added."),
            HelperModuleProblem.Missing => (
                ErrorId.HelperModuleMissing, ErrorCategory.NotInstalled,
                "Install the package of the running kernel that has it, such as kernel-modules-extra, or reboot if the kernel was upgraded. No rule was added."),
            HelperModuleProblem.Renamed => (
                ErrorId.HelperRenamed, ErrorCategory.InvalidOperation, "Remove the option, and load the module again. -Port gives the ports. No rule was added."),
            _ => (
                ErrorId.HelperModuleNotLoaded, ErrorCategory.ResourceUnavailable,
                $"Run pwsh as root, or in a container load it on the host: modprobe {module.Module}. No rule was added."),
        };
        return Create(module, id, category, module.Module, remedy);
    }

    private static ErrorRecord? FromRules(Exception exception, object? target) => exception switch
    {
        UnknownHelperException => Create(exception, ErrorId.HelperNotFound, ErrorCategory.ObjectNotFound, target, null),
        HelperRefusedException refused => OfHelper(refused),
        HelperModuleException module => OfModule(module),
        UnsupportedConditionException unsupported => Create(
            exception, ErrorId.ConditionNotOfPackets, ErrorCategory.InvalidArgument, target, $"Omit -{unsupported.Property}."),
        ForeignRuleException foreign => Create(
            exception, ErrorId.RuleOfOtherProcess, ErrorCategory.PermissionDenied, foreign.Rule.Name,
            FormattableString.Invariant($"Remove it in that PowerShell process, or end the process (kill {foreign.Rule.ProcessId}).")),
        NoNftablesServiceException => Create(
            exception, ErrorId.NoNftablesService, ErrorCategory.NotInstalled, target,
            "Nothing was changed. Install it (package nftables), omit -Persist, or put the output of -AsNft into your own ruleset."),
        TrackingNeededException => Create(
            exception, ErrorId.TrackingNeeded, ErrorCategory.InvalidOperation, target,
            "Nothing was changed. Narrow the filter, or add rules that accept the packets in both directions without an entry. To exempt the traffic anyway, use -Force."),
        _ => null,
    };
}
