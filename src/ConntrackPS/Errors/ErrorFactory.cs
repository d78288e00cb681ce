using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Runtime.InteropServices;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Errors;

/// <summary>Creates all error records, each with a stable id, a category, and a remedy.</summary>
internal static partial class ErrorFactory
{
    private const string NeedPrivilege = "Run pwsh as root (sudo pwsh), or give it the capability CAP_NET_ADMIN.";

    /// <summary>The remedy if the table was resized during every listing.</summary>
    public const string WaitForResizes =
        "A program keeps changing nf_conntrack_buckets, which resizes the hash table each time. Run the command again when that has stopped.";

    /// <summary>The error record of an exception of the core library.</summary>
    /// <param name="exception">The exception.</param>
    /// <param name="target">The flow, filter or namespace it is about.</param>
    public static ErrorRecord From(Exception exception, object? target = null) => exception switch
    {
        HiddenEntryException => Create(
            exception, ErrorId.EntryHidden, ErrorCategory.ResourceUnavailable, target,
            "Remove the other entry first."),
        NetlinkException netlink => FromErrno(netlink, target),
        IncompleteListingException => Create(exception, ErrorId.ListingIncomplete, ErrorCategory.ResourceBusy, target, WaitForResizes),
        NetworkNamespaceException gone when gone.Errno == Errno.Stale => Create(
            exception, ErrorId.NetworkNamespaceGone, ErrorCategory.ResourceUnavailable, gone.NetworkNamespace,
            "Run the command again when the namespace exists. -AllNamespace also follows namespaces that are created later."),
        NetworkNamespaceException missing when missing.Errno == Errno.NotFound => Create(
            exception, ErrorId.NetworkNamespaceNotFound, ErrorCategory.ObjectNotFound, missing.NetworkNamespace,
            "Give a name that 'ip netns list' shows, a path such as /run/netns/blue, or the id of a process in it."),
        NetworkNamespaceException denied when denied.Errno is Errno.NotPermitted or Errno.AccessDenied => Create(
            exception, ErrorId.NetworkNamespaceDenied, ErrorCategory.PermissionDenied, denied.NetworkNamespace,
            "Run pwsh as root (sudo pwsh), or give it the capability CAP_SYS_ADMIN."),
        NetworkNamespaceException other => Create(
            exception, ErrorId.NetworkNamespaceInvalid, ErrorCategory.InvalidArgument, other.NetworkNamespace,
            "Give a name that 'ip netns list' shows, a path such as /run/netns/blue, or the id of a process in it."),
        EventsUnavailableException => Create(
            exception, ErrorId.EventsUnavailable, ErrorCategory.NotInstalled, target,
            "Boot a kernel with CONFIG_NF_CONNTRACK_EVENTS, or load nf_conntrack (modprobe nf_conntrack)."),
        ReceiveBufferException => Create(
            exception, ErrorId.ReceiveBufferRefused, ErrorCategory.LimitsExceeded, target,
            "Raise net.core.rmem_max, run with CAP_NET_ADMIN in the initial user namespace, or give a smaller -ReceiveBufferSize."),
        IncompleteTableException incomplete => Create(
            exception, ErrorId.TableNotReadWhole, ErrorCategory.ResourceBusy, incomplete.NetworkNamespace ?? target,
            "Find out which program resizes the table (net.netfilter.nf_conntrack_buckets). Entries move while it is read."),
        WalkUnavailableException => Create(
            exception, ErrorId.EngineUnavailable, ErrorCategory.ResourceUnavailable, target,
            "Use -Engine Netlink, or -Engine Auto, which reads by netlink if the kernel or the process can't walk the table."),
        ConntrackUnavailableException => Create(
            exception, ErrorId.ConntrackUnavailable, ErrorCategory.NotInstalled, target,
            "Load the kernel modules: modprobe nf_conntrack_netlink."),
        PlatformNotSupportedException => Create(
            exception, ErrorId.NotLinux, ErrorCategory.NotImplemented, target,
            "Run the command on the Linux router, for example by Invoke-Command -HostName. Here, ConvertFrom-ConntrackText reads text that the router printed."),
        FileNotFoundException { FileName: { } file } when file.StartsWith("Tmds.LibC,", StringComparison.Ordinal) => Create(
            new PlatformNotSupportedException($"The module has no code for this processor ({RuntimeInformation.ProcessArchitecture}).", exception),
            ErrorId.ProcessorNotSupported, ErrorCategory.NotImplemented, target, "Use it on x64, arm64 or arm, like PowerShell for Linux."),
        NetlinkProtocolException => Create(
            exception, ErrorId.MalformedAnswer, ErrorCategory.ProtocolError, target, "Report this with the output of 'uname -r'."),
        StatusNotSettableException refused => Create(exception, ErrorId.StatusNotChangeable, ErrorCategory.InvalidArgument, target, WayToSet(refused)),
        IncompleteTupleException incomplete => IncompleteEntry(incomplete, target),
        TemplateException template => Create(new FormatException(Describe(template), template), ErrorId.InvalidValue, ErrorCategory.InvalidArgument, target, null),
        FormatException => Create(exception, ErrorId.InvalidValue, ErrorCategory.InvalidArgument, target, null),
        ArgumentException => FromTuning(exception, target) ?? Create(exception, ErrorId.InvalidFilter, ErrorCategory.InvalidArgument, target, null),
        _ => FromBlocking(exception, target) ?? FromRules(exception, target) ?? FromTuning(exception, target) ?? Create(exception, ErrorId.Unexpected, ErrorCategory.NotSpecified, target, null),
    };

    /// <summary>True if an error says that something does not exist. Such errors are written and never thrown, so that -ErrorAction
    /// applies, whether the user named one object or several.</summary>
    public static bool IsAboutMissing(ErrorRecord record) =>
        record.CategoryInfo.Category == ErrorCategory.ObjectNotFound || record.Exception is NetworkNamespaceException;

    /// <summary>PowerShell's error that it can't ask for confirmation, with the parameter that turns the question off; null for any
    /// other exception.</summary>
    public static ErrorRecord? FromPrompt(Exception exception)
    {
        if (exception is not (PSInvalidOperationException or HostException))
            return null;
        return new ErrorRecord(((IContainsErrorRecord)exception).ErrorRecord, exception)
        {
            ErrorDetails = new ErrorDetails($"{exception.Message} This session cannot ask for confirmation. Use -Confirm:$false to continue without it."),
        };
    }

    /// <summary>Several network namespaces were given to a cmdlet that works in one.</summary>
    public static ErrorRecord SeveralNamespaces(string command, string[] names) => Create(
        new ArgumentException($"{command} works in one network namespace at a time, not in '{string.Join("', '", names)}'."),
        ErrorId.SeveralNamespaces, ErrorCategory.InvalidArgument, names, "Give one namespace, without wildcards. Objects in the pipeline are processed in the namespace that they came from.");

    /// <summary>Objects for a cmdlet that takes none.</summary>
    /// <param name="command">The cmdlet.</param>
    /// <param name="instead">The command line to write.</param>
    public static ErrorRecord NoPipelineInput(string command, string instead) => Create(
        new ArgumentException($"{command} takes no objects from the pipeline. Nothing was done."), ErrorId.NoPipelineInput, ErrorCategory.InvalidArgument, null,
        $"Write: {instead}");

    /// <summary>-AllNamespace and -NetworkNamespace were given together.</summary>
    public static ErrorRecord AllOrOneNamespace() => Create(
        new ArgumentException("-AllNamespace and -NetworkNamespace cannot be used together."), ErrorId.AllOrOneNamespace, ErrorCategory.InvalidArgument, null,
        "Omit one of them.");

    /// <summary>Wildcards that match no network namespace.</summary>
    public static ErrorRecord NoNamespaceMatches(string[] names) => Create(
        new ItemNotFoundException($"No network namespace matches '{string.Join("', '", names)}'."), ErrorId.NetworkNamespaceNotFound,
        ErrorCategory.ObjectNotFound, names, "'ip netns list' shows the names. -AllNamespace also follows namespaces that are created later.");

    /// <summary>-Forward and -Action were given together.</summary>
    public static ErrorRecord ForwardWithAction() => Create(
        new ArgumentException("-Forward and -Action cannot be used together."), ErrorId.ForwardWithAction, ErrorCategory.InvalidArgument, null,
        "Omit -Action, and register it in the session that receives the events.");

    /// <summary>A subscription with the same name exists.</summary>
    public static ErrorRecord SubscriberExists(string sourceIdentifier) => Create(
        new ArgumentException($"A subscription '{sourceIdentifier}' already exists."), ErrorId.SubscriberExists, ErrorCategory.ResourceExists, sourceIdentifier,
        $"Give another -SourceIdentifier, or end the subscription: Unregister-Event '{sourceIdentifier}'.");

    /// <summary>PowerShell's engine refused the subscription.</summary>
    public static ErrorRecord InvalidSubscription(ArgumentException exception, string sourceIdentifier) => Create(
        exception, ErrorId.InvalidSubscription, ErrorCategory.InvalidArgument, sourceIdentifier, "Give another -SourceIdentifier.");

    /// <summary>An alert without a threshold.</summary>
    public static ErrorRecord NoThreshold() => Create(
        new ArgumentException("No alert was named."), ErrorId.InvalidThreshold, ErrorCategory.InvalidArgument, null,
        "Give at least one of: -FillAbove 80, -Drop, -Finding TableNearlyFull, HalfOpenFlood.");

    /// <summary>-FillBelow without -FillAbove, or above it.</summary>
    public static ErrorRecord InvalidFillBelow(double below, double? above) => Create(
        new ArgumentException(above is { } upper
            ? string.Create(CultureInfo.InvariantCulture, $"-FillBelow {below} is above -FillAbove {upper}.")
            : "-FillBelow works with -FillAbove."),
        ErrorId.InvalidThreshold, ErrorCategory.InvalidArgument, below,
        "An alert is raised above -FillAbove and cleared below -FillBelow. Write, for example: -FillAbove 80 -FillBelow 70.");

    /// <summary>The health check has no such finding.</summary>
    public static ErrorRecord FindingNotKnown(string name) => Create(
        new ArgumentException($"Test-ConntrackHealth has no finding '{name}'."), ErrorId.FindingNotKnown, ErrorCategory.InvalidArgument, name,
        $"Give one of: {FindingKinds.Choices}. Or a pattern, such as Table*.");

    /// <summary>The live view has no terminal.</summary>
    public static ErrorRecord NoTerminal() => Create(
        new InvalidOperationException("Show-ConntrackTop needs a terminal, but its input or output is redirected."),
        ErrorId.NoTerminal, ErrorCategory.InvalidOperation, null,
        "For one frame as text, use -Once. For objects, use Measure-ConntrackEntry.");

    /// <summary>This process has no block with the number.</summary>
    public static ErrorRecord NoSuchBlock(int id) => Create(
        new ItemNotFoundException(string.Create(CultureInfo.InvariantCulture, $"This PowerShell process has no block {id}.")),
        ErrorId.BlockNotFound, ErrorCategory.ObjectNotFound, id, "Get-ConntrackBlock lists the blocks.");

    /// <summary>Describes what is wrong with a template or a value, with the names of parameters.</summary>
    public static string Describe(FormatException problem) => problem switch
    {
        TemplateException { Properties: [nameof(ExpectationTemplate.Master)] } =>
            "The master connection is missing: give -Master an entry of Get-ConntrackEntry, or pipe one in.",
        TemplateException template => template.Describe(property => "-" + ParameterOf(property)),
        StatusNotSettableException refused => $"{refused.Message} {WayToSet(refused)}".TrimEnd(),
        _ => problem.Message,
    };

    /// <summary>The parameter for a property of a template.</summary>
    private static string ParameterOf(string property) => property switch
    {
        nameof(ExpectationTemplate.Source) => "SourceAddress",
        nameof(ExpectationTemplate.Destination) => "DestinationAddress",
        _ => property,
    };

    /// <summary>How to set status bits that can't be set directly; null if there is no way.</summary>
    private static string? WayToSet(StatusNotSettableException exception) => exception.IsOfTranslation
        ? "To create a translation, use New-ConntrackEntry -TranslatedSourceAddress and -TranslatedDestinationAddress."
        : null;

    private static string Record(long number) => number > 0 ? $"record {number}: " : "";

    private static ErrorRecord? FromBlocking(Exception exception, object? target) => exception switch
    {
        NftablesUnavailableException => Create(
            exception, ErrorId.NftablesUnavailable, ErrorCategory.NotInstalled, target,
            "Nothing was changed. Load the kernel modules (modprobe nf_tables nft_ct, for limits also nft_connlimit nft_reject_inet), or remove entries without -Block."),
        NftTableLostException => Create(
            exception, ErrorId.BlockLost, ErrorCategory.ResourceUnavailable, target,
            "Block the traffic again. nft monitor and nft list tables show which other program changes nf_tables."),
        OwnConnectionException => Create(
            exception, ErrorId.OwnConnection, ErrorCategory.InvalidOperation, target,
            "Narrow the filter, for example with -DestinationPort or -Protocol. To do it anyway, use -Force."),
        ZoneNotBlockableException => Create(
            exception, ErrorId.ZoneNotBlockable, ErrorCategory.InvalidArgument, target,
            "Omit -Zone, or remove entries without -Block."),
        _ => null,
    };

    private static ErrorRecord FromErrno(NetlinkException exception, object? target)
    {
        (ErrorId id, ErrorCategory category, string? remedy) = exception.Errno switch
        {
            Errno.NotPermitted or Errno.AccessDenied => (ErrorId.PermissionDenied, ErrorCategory.PermissionDenied, NeedPrivilege),
            Errno.NotFound => (ErrorId.EntryNotFound, ErrorCategory.ObjectNotFound, "It may have ended."),
            Errno.Exists => (ErrorId.EntryExists, ErrorCategory.ResourceExists, null),
            Errno.InvalidArgument or Errno.OutOfRange => (ErrorId.RefusedByKernel, ErrorCategory.InvalidArgument, null),
            Errno.Busy => (ErrorId.Busy, ErrorCategory.ResourceBusy, null),
            Errno.OutOfMemory or Errno.NoSpace => (ErrorId.LimitExceeded, ErrorCategory.LimitsExceeded, null),
            Errno.NoBuffers => (ErrorId.MessagesLost, ErrorCategory.LimitsExceeded, "Answers of the kernel were lost; list the table again."),
            Errno.NotSupported => (ErrorId.NotSupportedByKernel, ErrorCategory.NotImplemented, null),
            Errno.TimedOut => (ErrorId.NoAnswer, ErrorCategory.OperationTimeout, null),
            _ => (ErrorId.KernelError, ErrorCategory.NotSpecified, (string?)null),
        };
        return Create(exception, id, category, target, remedy);
    }

    /// <summary>An object can't be read. If it lacks a part of a tuple, the error is the same everywhere.</summary>
    private static ErrorRecord Unreadable(
        FormatException problem, string message, ErrorId id, ErrorCategory category, object? input, string remedy, long number = 0) =>
        problem is IncompleteTupleException incomplete
            ? IncompleteEntry(incomplete, input, number)
            : Create(new ArgumentException(Record(number) + message), id, category, input, remedy);

    /// <summary>Adds the remedy to the message, because every view and every log shows the message.</summary>
    private static ErrorRecord Create(Exception exception, ErrorId id, ErrorCategory category, object? target, string? remedy)
    {
        ErrorRecord record = new(exception, id.ToString(), category, target);
        string flow = target is ConntrackEntry ? $" The flow: {target}." : "";
        if (remedy is not null || flow.Length > 0)
            record.ErrorDetails = new ErrorDetails($"{exception.Message}{flow} {remedy}".TrimEnd());
        return record;
    }
}

/// <summary>Parts of the command lines in remedies, warnings and errors.</summary>
internal static class CommandLine
{
    /// <summary>The parameter that names a network namespace; empty for the caller's own.</summary>
    public static string Where(string? networkNamespace) => networkNamespace is null ? "" : " -NetworkNamespace " + Quote(networkNamespace);

    /// <summary>The command line that turns a setting on in a namespace.</summary>
    public static string TurnOn(string name, object value, NetworkNamespace? networkNamespace) =>
        $"Set-ConntrackSetting -Name {name} -Value {Value(value)}{Where(networkNamespace?.Name)}";

    /// <summary>The parameter that names the root of the files; empty for the running system.</summary>
    public static string Root(SystemRoot root) => root.IsRunning ? "" : " -PersistRoot " + Quote(root.Path);

    /// <summary>A Boolean, a number or a word, written as the value of a parameter.</summary>
    public static string Value(object value) =>
        value is bool yes ? (yes ? "$true" : "$false") : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    /// <summary>Text in single quotes, in which PowerShell expands nothing. Typographic quotes are doubled too, because they also end
    /// the text.</summary>
    public static string Quote(string text) =>
        $"'{string.Concat(text.Select(letter => letter is '\'' or (>= '\u2018' and <= '\u201b') ? new string(letter, 2) : letter.ToString()))}'";
}
