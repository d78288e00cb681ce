using System.Management.Automation;
using System.Management.Automation.Host;
using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Text;

namespace ConntrackPS.Errors;

/// <summary>Makes every error record: a stable id, the right category, and what to do about it.</summary>
internal static partial class ErrorFactory
{
    private const string NeedPrivilege = "Run pwsh as root (sudo pwsh), or give it the capability CAP_NET_ADMIN.";

    /// <summary>What to do when the table would not hold still.</summary>
    public const string WaitForResizes =
        "Something sets nf_conntrack_buckets again and again, and each time the hash table is rearranged: run the command again when that is over.";

    /// <summary>The record for anything the core library throws.</summary>
    /// <param name="exception">What it threw.</param>
    /// <param name="target">The flow, filter or namespace it is about.</param>
    public static ErrorRecord From(Exception exception, object? target = null) => exception switch
    {
        HiddenEntryException => Create(
            exception, "EntryHidden", ErrorCategory.ResourceUnavailable, target,
            "Remove the other one first."),
        NetlinkException netlink => FromErrno(netlink, target),
        IncompleteListingException => Create(exception, "ListingIncomplete", ErrorCategory.ResourceBusy, target, WaitForResizes),
        NetworkNamespaceException gone when gone.Errno == Errno.Stale => Create(
            exception, "NetworkNamespaceGone", ErrorCategory.ResourceUnavailable, gone.NetworkNamespace,
            "Start again once it is back; -AllNamespace follows namespaces as they come and go."),
        NetworkNamespaceException missing when missing.Errno == Errno.NotFound => Create(
            exception, "NetworkNamespaceNotFound", ErrorCategory.ObjectNotFound, missing.NetworkNamespace,
            "Give a name that 'ip netns list' shows, a path such as /run/netns/blue, or the id of a process in it."),
        NetworkNamespaceException denied when denied.Errno is Errno.NotPermitted or Errno.AccessDenied => Create(
            exception, "NetworkNamespaceDenied", ErrorCategory.PermissionDenied, denied.NetworkNamespace,
            "Run pwsh as root (sudo pwsh), or give it the capability CAP_SYS_ADMIN."),
        NetworkNamespaceException other => Create(
            exception, "NetworkNamespaceInvalid", ErrorCategory.InvalidArgument, other.NetworkNamespace,
            "Give a name that 'ip netns list' shows, a path such as /run/netns/blue, or the id of a process in it."),
        EventsUnavailableException => Create(
            exception, "EventsUnavailable", ErrorCategory.NotInstalled, target,
            "Boot a kernel with CONFIG_NF_CONNTRACK_EVENTS, or load nf_conntrack (modprobe nf_conntrack)."),
        ReceiveBufferException => Create(
            exception, "ReceiveBufferRefused", ErrorCategory.LimitsExceeded, target,
            "Raise net.core.rmem_max, or run with CAP_NET_ADMIN in the initial user namespace; or ask for less by -ReceiveBufferSize."),
        IncompleteTableException incomplete => Create(
            exception, "TableNotReadWhole", ErrorCategory.ResourceBusy, incomplete.NetworkNamespace ?? target,
            "Find out who resizes the table (net.netfilter.nf_conntrack_buckets): entries move while it is read."),
        ConntrackUnavailableException => Create(
            exception, "ConntrackUnavailable", ErrorCategory.NotInstalled, target,
            "Load the kernel modules: modprobe nf_conntrack_netlink."),
        PlatformNotSupportedException => Create(
            exception, "NotLinux", ErrorCategory.NotImplemented, target, "Run this on the Linux router, for example by Invoke-Command -HostName."),
        FileNotFoundException { FileName: { } file } when file.StartsWith("Tmds.LibC,", StringComparison.Ordinal) => Create(
            new PlatformNotSupportedException($"The module has no code for this processor ({RuntimeInformation.ProcessArchitecture}).", exception),
            "ProcessorNotSupported", ErrorCategory.NotImplemented, target, "Use it on x64, arm64 or arm, as PowerShell for Linux itself."),
        NetlinkProtocolException => Create(
            exception, "MalformedAnswer", ErrorCategory.ProtocolError, target, "Report this with the output of 'uname -r'."),
        StatusNotSettableException refused => Create(exception, "StatusNotChangeable", ErrorCategory.InvalidArgument, target, WayToSet(refused)),
        IncompleteTupleException incomplete => IncompleteEntry(incomplete, target),
        TemplateException template => Create(new FormatException(Describe(template), template), "InvalidValue", ErrorCategory.InvalidArgument, target, null),
        FormatException => Create(exception, "InvalidValue", ErrorCategory.InvalidArgument, target, null),
        ArgumentException => FromTuning(exception, target) ?? Create(exception, "InvalidFilter", ErrorCategory.InvalidArgument, target, null),
        _ => FromBlocking(exception, target) ?? FromTuning(exception, target) ?? Create(exception, "Unexpected", ErrorCategory.NotSpecified, target, null),
    };

    /// <summary>Whether an error says that something isn't there, or no longer: such errors are written and never thrown, so
    /// that -ErrorAction decides, and the same whether one thing was named or several.</summary>
    public static bool IsAboutMissing(ErrorRecord record) =>
        record.CategoryInfo.Category == ErrorCategory.ObjectNotFound || record.Exception is NetworkNamespaceException;

    /// <summary>PowerShell's own error where a question can't be asked, with the way to need no question; null for any other
    /// exception.</summary>
    public static ErrorRecord? FromPrompt(Exception exception)
    {
        if (exception is not (PSInvalidOperationException or HostException))
            return null;
        return new ErrorRecord(((IContainsErrorRecord)exception).ErrorRecord, exception)
        {
            ErrorDetails = new ErrorDetails($"{exception.Message} Nobody can be asked here: -Confirm:$false goes on without asking."),
        };
    }

    /// <summary>Nothing was named to delete or change.</summary>
    public static ErrorRecord NoFilter(string command, string? networkNamespace) => Create(
        new ArgumentException($"{command} was given nothing to go by, and would have to take every entry."),
        "NoFilter", ErrorCategory.InvalidArgument, null,
        command.StartsWith("Remove", StringComparison.OrdinalIgnoreCase)
            ? $"Name entries by at least one filter, or pipe them in. To empty the whole table: Clear-ConntrackTable{CommandLine.Where(networkNamespace)}"
            : $"Name entries by at least one filter, or pipe them in. For every entry: Get-ConntrackEntry{CommandLine.Where(networkNamespace)} | {command}");

    /// <summary>A state that the flow's protocol does not have.</summary>
    public static ErrorRecord InvalidState(ConntrackState state, IPProtocol protocol, object entry) => Create(
        new ArgumentException($"{state} is not a state of {protocol}."), "InvalidState", ErrorCategory.InvalidArgument, entry,
        ConntrackStates.Of(protocol) is { Count: > 0 } states
            ? $"Its states are {string.Join(", ", states.Where(choice => choice != ConntrackState.None))}."
            : $"{protocol} connections have no state.");

    /// <summary>An object in the pipeline does not name an entry.</summary>
    public static ErrorRecord NotAnEntry(object input, FormatException problem) => Unreadable(
        problem, $"The object in the pipeline does not name a connection-tracking entry: {Describe(problem)}", "NotAnEntry", ErrorCategory.InvalidData, input,
        "Pipe objects of Get-ConntrackEntry, or such as were exported from it, with Protocol, SourceAddress, SourcePort, DestinationAddress and DestinationPort.");

    /// <summary>An object leaves out what tells its flow from others, so that nothing is asked of the kernel.</summary>
    public static ErrorRecord IncompleteEntry(IncompleteTupleException exception, object? input, long number = 0) => Create(
        new ArgumentException($"{Record(number)}The object does not say which flow it is: {exception.Message}", exception),
        "IncompleteEntry", ErrorCategory.InvalidData, input,
        "conntrack's XML leaves these out for ICMP: read 'conntrack -L -o extended' in its place, or objects kept by Export-Clixml or Export-Csv; "
        + "or name the flow by parameters.");

    /// <summary>No entry has this tuple, zone and id.</summary>
    public static ErrorRecord NoSuchEntry(EntryKey key) => Create(
        new ItemNotFoundException($"There is no connection-tracking entry {key.Flow} in zone {key.AnyZone}."),
        "EntryNotFound", ErrorCategory.ObjectNotFound, key, "It may have ended, or be in another zone (-Zone) or network namespace.");

    /// <summary>-Exact without a whole tuple.</summary>
    public static ErrorRecord InexactTuple(FormatException problem) => Create(
        new ArgumentException($"-Exact needs one whole tuple: {Describe(problem)}"), "InexactTuple", ErrorCategory.InvalidArgument, null,
        "Give -Protocol, -SourceAddress, -SourcePort, -DestinationAddress and -DestinationPort one value each, or -Protocol, -ReplySourceAddress, "
        + "-ReplySourcePort, -ReplyDestinationAddress and -ReplyDestinationPort; and -Zone where it is not 0.");

    /// <summary>A filter that no entry can match.</summary>
    /// <param name="contradiction">Why.</param>
    /// <param name="nameOf">The parameter that stands for a property of the filter.</param>
    public static ErrorRecord Contradiction(FilterContradiction contradiction, Func<string, string> nameOf) => Create(
        new ArgumentException($"Nothing can match: {contradiction.Describe(property => "-" + nameOf(property))}."),
        "ContradictoryFilter", ErrorCategory.InvalidArgument, null, "Leave one of them out, or change it.");

    /// <summary>The parameters, or an object in the pipeline, don't make an entry.</summary>
    public static ErrorRecord InvalidEntry(FormatException problem, object? input, long number) => Unreadable(
        problem, Describe(problem), "InvalidEntry", ErrorCategory.InvalidArgument, input,
        "An entry needs -Protocol, both addresses of one direction, ports where the protocol has them, -TimeoutSeconds, and -State for TCP and SCTP.", number);

    /// <summary>The kernel did not make an entry.</summary>
    public static ErrorRecord NotCreated(NetlinkException exception, ConntrackEntry entry, long number)
    {
        (string id, ErrorCategory category, string remedy) = exception.Errno switch
        {
            Errno.Exists => ("EntryExists", ErrorCategory.ResourceExists, "It exists already; -Force makes that no error."),
            Errno.NotFound => ("MasterNotFound", ErrorCategory.ObjectNotFound, "The connection that expected it (its master) does not exist; create that one first."),
            Errno.NotSupported when entry.Helper is { } helper => (
                "HelperUnknown", ErrorCategory.NotInstalled, $"The kernel has no helper '{helper}' for {entry.Protocol}; load it: modprobe nf_conntrack_{helper}."),
            Errno.NoSpace => ("LabelsUnused", ErrorCategory.LimitsExceeded, "The kernel keeps labels only while a rule uses them: iptables -m connlabel, or nft ct label."),
            Errno.OutOfRange => ("ValueOutOfRange", ErrorCategory.InvalidArgument, entry.Protocol == IPProtocol.Sctp && entry.State is { } state
                ? $"This kernel has no state {state} of SCTP."
                : "A window scale is at most 14, and a state must be one that this kernel has."),
            Errno.InvalidArgument => ("InvalidEntry", ErrorCategory.InvalidArgument, "The two tuples must be of one family and protocol, and the addresses such that they can be translated."),
            Errno.OutOfMemory => ("TableFull", ErrorCategory.LimitsExceeded, "The table is full or memory is out: see Get-ConntrackStat" + CommandLine.Where(entry.Namespace)),
            _ => ("", ErrorCategory.NotSpecified, ""),
        };
        return id.Length == 0
            ? From(exception, entry)
            : Create(new NetlinkException($"{Record(number)}{exception.Operation}", exception.Errno, exception.KernelMessage), id, category, entry, remedy);
    }

    /// <summary>-Force found no entry like the one that was to be created, but the kernel has another one in its place.</summary>
    public static ErrorRecord NotAlike(NetlinkException exception, ConntrackEntry entry, long number) => Create(
        new NetlinkException($"{Record(number)}{exception.Operation}", exception.Errno, exception.KernelMessage), "EntryExists", ErrorCategory.ResourceExists, entry,
        "Another entry has one of its two tuples, and was left alone: look it up, and remove it first: Get-ConntrackEntry" + CommandLine.Where(entry.Namespace) + " -Address, with its addresses.");

    /// <summary>The kernel gave an entry another master than the one that was named; it was deleted again.</summary>
    public static ErrorRecord OtherMaster(ConntrackEntry entry, ConntrackTuple master, long number) => Create(
        new InvalidOperationException($"{Record(number)}Another entry stands in the way of the connection that expected it, {master}, and the kernel took that one for its master."),
        "MasterHidden", ErrorCategory.ResourceUnavailable, entry, "The new entry was deleted again. Remove the one that has this tuple as its reply first.");

    /// <summary>The kernel did not change an entry.</summary>
    public static ErrorRecord NotChanged(NetlinkException exception, EntryChange change, object entry) => exception.Errno switch
    {
        // EBUSY where the entry has, or once had, another one.
        Errno.NotSupported or Errno.Busy when change.Helper is not null => Create(
            exception, "HelperNotChangeable", ErrorCategory.InvalidOperation, entry,
            "The kernel gives a helper to new entries only: remove the entry and create it with New-ConntrackEntry -Helper."),
        Errno.NoSpace => Create(
            exception, "LabelsUnused", ErrorCategory.LimitsExceeded, entry,
            "The kernel keeps labels only while a rule uses them: iptables -m connlabel, or nft ct label."),
        Errno.NotPermitted when entry is ConntrackEntry { Status: var status } && (status & ConntrackStatus.FixedTimeout) != 0 => Create(
            exception, "FixedTimeout", ErrorCategory.InvalidOperation, entry, "The timeout of an entry with status FixedTimeout can't be changed."),
        Errno.Busy => Create(
            exception, "StatusNotChangeable", ErrorCategory.ResourceBusy, entry, "The kernel lets Assured, SeenReply, FixedTimeout and Helper be set, and none be cleared."),
        _ => From(exception, entry),
    };

    /// <summary>Nothing to change was named.</summary>
    public static ErrorRecord NoChange() => Create(
        new ArgumentException("Set-ConntrackEntry was not told what to change."), "NoChange", ErrorCategory.InvalidArgument, null,
        "Give at least one of -Mark, -TimeoutSeconds, -AddLabel, -RemoveLabel, -SetStatus, -State, -Helper.");

    /// <summary>A group in the pipeline does not stand for entries of the table.</summary>
    public static ErrorRecord UnusableGroup(ConntrackGroup group, string problem) => Create(
        new ArgumentException($"The group '{group.Name}' names no entries: {problem}"), "GroupNamesNoEntries", ErrorCategory.InvalidArgument, group,
        "Pipe groups that Measure-ConntrackEntry made of the table, by a property in which entries differ.");

    /// <summary>Groups are to be sorted by a rate, but the table is read once.</summary>
    public static ErrorRecord NoInterval(GroupOrder order) => Create(
        new ArgumentException($"-SortBy {order} needs two looks at the table."), "NoInterval", ErrorCategory.InvalidArgument, null,
        "Add -Interval, such as -Interval 5 for five seconds.");

    /// <summary>A live view has no terminal to itself.</summary>
    public static ErrorRecord NoTerminal() => Create(
        new InvalidOperationException("Show-ConntrackTop needs a terminal, and its input or output is redirected."),
        "NoTerminal", ErrorCategory.InvalidOperation, null,
        "For one frame as text use -Once; for figures as objects use Measure-ConntrackEntry.");

    /// <summary>A line of text is no entry.</summary>
    public static ErrorRecord InvalidText(ConntrackTextProblem problem, string? file) => Create(
        new FormatException(file is null ? problem.ToString() : $"{file}: {problem}"),
        "InvalidConntrackText", ErrorCategory.InvalidData, problem.Line, null);

    /// <summary>A form of text can't say what an entry is.</summary>
    public static ErrorRecord NoTextForm(NotSupportedException exception, ConntrackEntry entry) => Create(
        exception, "NoTextForm", ErrorCategory.NotImplemented, entry, "Remove it on its router by Remove-ConntrackEntry.");

    /// <summary>Several network namespaces where one is changed.</summary>
    public static ErrorRecord SeveralNamespaces(string command, string[] names) => Create(
        new ArgumentException($"{command} works in one network namespace at a time, not in '{string.Join("', '", names)}'."),
        "SeveralNamespaces", ErrorCategory.InvalidArgument, names, "Name one, without wildcards; objects in the pipeline bring their own.");

    /// <summary>A file of text can't be read.</summary>
    public static ErrorRecord UnreadableFile(Exception exception, string path) => Create(
        exception, "UnreadableFile",
        exception is UnauthorizedAccessException ? ErrorCategory.PermissionDenied : ErrorCategory.ReadError, path,
        exception is UnusableFileException ? "Name a file, or a pipe that something writes to; or pipe the lines in." : null);

    /// <summary>What is wrong with a template or a value, by the names of parameters.</summary>
    public static string Describe(FormatException problem) => problem switch
    {
        TemplateException { Properties: [nameof(ExpectationTemplate.Master)] } =>
            "The connection that announces it is missing: give -Master an entry of Get-ConntrackEntry, or pipe one in.",
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

    /// <summary>What sets bits of the status that can't be set by themselves; null where nothing does.</summary>
    private static string? WayToSet(StatusNotSettableException exception) => exception.IsOfTranslation
        ? "Those of a translation come with New-ConntrackEntry -TranslatedSourceAddress and -TranslatedDestinationAddress."
        : null;

    private static string Record(long number) => number > 0 ? $"record {number}: " : "";

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

    /// <summary>An object can't be read. That it leaves out parts of a tuple is the same error everywhere.</summary>
    private static ErrorRecord Unreadable(
        FormatException problem, string message, string id, ErrorCategory category, object? input, string remedy, long number = 0) =>
        problem is IncompleteTupleException incomplete
            ? IncompleteEntry(incomplete, input, number)
            : Create(new ArgumentException(Record(number) + message), id, category, input, remedy);

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
