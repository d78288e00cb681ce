using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;
using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Errors;

/// <summary>The error records of entries, expectations, filters for them, and their text.</summary>
internal static partial class ErrorFactory
{
    /// <summary>No entries were named to delete or change.</summary>
    /// <param name="command">The cmdlet.</param>
    /// <param name="networkNamespace">The namespace; null for the caller's own.</param>
    /// <param name="excludes">True if exclusions were given.</param>
    public static ErrorRecord NoFilter(string command, string? networkNamespace, bool excludes) => Create(
        new ArgumentException(excludes
            ? "Only exclusions were given, so every other entry would be affected."
            : "No filter was given, so every entry would be affected."),
        ErrorId.NoFilter, ErrorCategory.InvalidArgument, null,
        command.StartsWith("Remove", StringComparison.OrdinalIgnoreCase)
            ? $"Give at least one filter, or pipe entries in. To empty the whole table: Clear-ConntrackTable{CommandLine.Where(networkNamespace)}"
            : $"Give at least one filter, or pipe entries in. For every entry: Get-ConntrackEntry{CommandLine.Where(networkNamespace)} | {command}");

    /// <summary>A state that the flow's protocol does not have.</summary>
    public static ErrorRecord InvalidState(ConntrackState state, IPProtocol protocol, object entry) => Create(
        new ArgumentException($"{state} is not a state of {protocol}."), ErrorId.InvalidState, ErrorCategory.InvalidArgument, entry,
        ConntrackStates.Of(protocol) is { Count: > 0 } states
            ? $"Its states are {string.Join(", ", states.Where(choice => choice != ConntrackState.None))}."
            : $"{protocol} connections have no state.");

    /// <summary>An object in the pipeline does not name an entry.</summary>
    public static ErrorRecord NotAnEntry(object input, FormatException problem) => Unreadable(
        problem, $"The object in the pipeline does not name a connection-tracking entry: {Describe(problem)}", ErrorId.NotAnEntry, ErrorCategory.InvalidData, input,
        "Pipe objects of Get-ConntrackEntry, or objects that were exported from it, with Protocol, SourceAddress, SourcePort, DestinationAddress and DestinationPort.");

    /// <summary>An object lacks a part of its tuple, so it does not identify a flow. The kernel is not asked.</summary>
    public static ErrorRecord IncompleteEntry(IncompleteTupleException exception, object? input, long number = 0) => Create(
        new ArgumentException($"{Record(number)}The object does not say which flow it is: {exception.Message}", exception),
        ErrorId.IncompleteEntry, ErrorCategory.InvalidData, input,
        exception.Missing.Contains("Address", StringComparison.Ordinal) || exception.Missing.Contains("Port", StringComparison.Ordinal)
            ? "The text or file that it is from does not contain it or hides it. Read a complete text, or give the flow by parameters."
            : "The XML of conntrack leaves these out for ICMP. Read the output of 'conntrack -L -o extended' instead, or objects saved by "
                + "Export-Clixml or Export-Csv, or give the flow by parameters.");

    /// <summary>No entry has this tuple, zone and id.</summary>
    public static ErrorRecord NoSuchEntry(EntryKey key) => Create(
        new ItemNotFoundException($"There is no connection-tracking entry {key.Flow} in zone {key.AnyZone}."),
        ErrorId.EntryNotFound, ErrorCategory.ObjectNotFound, key, "It may have ended, or it is in another zone (-Zone) or network namespace.");

    /// <summary>-Exact without a whole tuple.</summary>
    public static ErrorRecord InexactTuple(FormatException problem) => Create(
        new ArgumentException($"-Exact needs one whole tuple: {Describe(problem)}"), ErrorId.InexactTuple, ErrorCategory.InvalidArgument, null,
        "Give -Protocol, -SourceAddress, -SourcePort, -DestinationAddress and -DestinationPort one value each, or -Protocol, -ReplySourceAddress, "
        + "-ReplySourcePort, -ReplyDestinationAddress and -ReplyDestinationPort; and -Zone if it is not 0.");

    /// <summary>A filter that no entry can match.</summary>
    public static ErrorRecord Contradiction(FilterContradiction contradiction) => Create(
        new ArgumentException($"Nothing can match: {contradiction.Describe(property => "-" + property)}."),
        ErrorId.ContradictoryFilter, ErrorCategory.InvalidArgument, null, "Omit or change one of them.");

    /// <summary>The parameters, or an object in the pipeline, do not describe an entry.</summary>
    public static ErrorRecord InvalidEntry(FormatException problem, object? input, long number) => Unreadable(
        problem, Describe(problem), ErrorId.InvalidEntry, ErrorCategory.InvalidArgument, input,
        "An entry needs -Protocol, both addresses of one direction, ports if the protocol has them, and -State for TCP and SCTP.", number);

    /// <summary>Parameters are missing. The message names all of them.</summary>
    public static ErrorRecord MissingParameters(string command, IReadOnlyList<string> names) => Create(
        new ParameterBindingException($"{command}: cannot process the command because of one or more missing mandatory parameters: {string.Join(", ", names)}."),
        ErrorId.MissingMandatoryParameter, ErrorCategory.InvalidArgument, names, $"Add {string.Join(", ", names.Select(name => "-" + name))}.");

    /// <summary>The kernel did not create an entry.</summary>
    public static ErrorRecord NotCreated(NetlinkException exception, ConntrackEntry entry, long number)
    {
        (ErrorId id, ErrorCategory category, string remedy) = exception.Errno switch
        {
            Errno.Exists => (ErrorId.EntryExists, ErrorCategory.ResourceExists, "The entry already exists. With -Force this is not an error."),
            Errno.NotFound => (ErrorId.MasterNotFound, ErrorCategory.ObjectNotFound, "Its master connection does not exist. Create the master first."),
            Errno.NotSupported when entry.Helper is { } helper => (
                ErrorId.HelperUnknown, ErrorCategory.NotInstalled, $"The kernel has no helper '{helper}' for {entry.Protocol}. Load it: modprobe nf_conntrack_{helper}."),
            Errno.NoSpace => (ErrorId.LabelsUnused, ErrorCategory.LimitsExceeded, "The kernel stores labels only while a rule uses them: iptables -m connlabel, or nft ct label."),
            Errno.OutOfRange => (ErrorId.ValueOutOfRange, ErrorCategory.InvalidArgument, entry.Protocol == IPProtocol.Sctp && entry.State is { } state
                ? $"This kernel has no state {state} of SCTP."
                : "A window scale is at most 14, and a state must be one that this kernel has."),
            Errno.InvalidArgument => (ErrorId.InvalidEntry, ErrorCategory.InvalidArgument, "Both tuples must have the same address family and protocol, and the addresses must be translatable."),
            Errno.OutOfMemory => (ErrorId.TableFull, ErrorCategory.LimitsExceeded, "The table is full or the kernel is out of memory: see Get-ConntrackStat" + CommandLine.Where(entry.Namespace)),
            _ => (ErrorId.KernelError, ErrorCategory.NotSpecified, ""),
        };
        return id == ErrorId.KernelError
            ? From(exception, entry)
            : Create(new NetlinkException($"{Record(number)}{exception.Operation}", exception.Errno, exception.KernelMessage), id, category, entry, remedy);
    }

    /// <summary>-Force found no equal entry, but another entry has one of the two tuples.</summary>
    public static ErrorRecord NotAlike(NetlinkException exception, ConntrackEntry entry, long number) => Create(
        new NetlinkException($"{Record(number)}{exception.Operation}", exception.Errno, exception.KernelMessage), ErrorId.EntryExists, ErrorCategory.ResourceExists, entry,
        "Another entry has one of its two tuples. It was not changed. Find it and remove it first: Get-ConntrackEntry" + CommandLine.Where(entry.Namespace) + " -Address, with its addresses.");

    /// <summary>The kernel chose another master than the given one. The new entry was deleted again.</summary>
    public static ErrorRecord OtherMaster(ConntrackEntry entry, ConntrackTuple master, long number) => Create(
        new InvalidOperationException($"{Record(number)}The kernel assigned another entry as the master, because that entry hides the given master {master}."),
        ErrorId.MasterHidden, ErrorCategory.ResourceUnavailable, entry, "The new entry was deleted again. First remove the entry that has this tuple as its reply.");

    /// <summary>The kernel did not change an entry.</summary>
    public static ErrorRecord NotChanged(NetlinkException exception, EntryChange change, object entry) => exception.Errno switch
    {
        // EBUSY if the entry has or had another helper.
        Errno.NotSupported or Errno.Busy when change.Helper is not null => Create(
            exception, ErrorId.HelperNotChangeable, ErrorCategory.InvalidOperation, entry,
            "Only a new entry can get a helper. Remove the entry and create it with New-ConntrackEntry -Helper."),
        Errno.NoSpace => Create(
            exception, ErrorId.LabelsUnused, ErrorCategory.LimitsExceeded, entry,
            "The kernel stores labels only while a rule uses them: iptables -m connlabel, or nft ct label."),
        Errno.NotPermitted when entry is ConntrackEntry { Status: var status } && (status & ConntrackStatus.FixedTimeout) != 0 => Create(
            exception, ErrorId.FixedTimeout, ErrorCategory.InvalidOperation, entry, "The timeout of an entry with status FixedTimeout can't be changed."),
        Errno.Busy => Create(
            exception, ErrorId.StatusNotChangeable, ErrorCategory.ResourceBusy, entry, "The kernel can set Assured, SeenReply, FixedTimeout and Helper. It cannot clear a status bit."),
        _ => From(exception, entry),
    };

    /// <summary>Set-ConntrackEntry was given no new value, or the old parameter -TimeoutSeconds.</summary>
    public static ErrorRecord NoChange(bool namesOldTimeout) => Create(
        new ArgumentException(namesOldTimeout
            ? "Set-ConntrackEntry no longer has -TimeoutSeconds: the new timeout is -NewTimeout. Nothing was changed."
            : "No change was given for Set-ConntrackEntry."),
        ErrorId.NoChange, ErrorCategory.InvalidArgument, null,
        "New values are -NewState, -NewMark, -NewHelper, -NewTimeout, -AddLabel, -RemoveLabel and -SetStatus. -State, -Mark and -Helper select entries.");

    /// <summary>A group in the pipeline does not select entries of the table.</summary>
    public static ErrorRecord UnusableGroup(string name, PSObject group, string problem) => Create(
        new ArgumentException($"The group '{name}' cannot select entries: {problem}"), ErrorId.GroupNamesNoEntries, ErrorCategory.InvalidArgument, group.BaseObject is ConntrackGroup live ? live : group,
        "Pipe groups that Measure-ConntrackEntry counted in the table, by a property whose values differ.");

    /// <summary>A group of Group-Object in the pipeline has lost objects, or an array is empty.</summary>
    public static ErrorRecord EmptyGroup(object input, FormatException problem) => Create(
        new ArgumentException($"The group or array does not contain its objects: {problem.Message}"), ErrorId.GroupNamesNoEntries, ErrorCategory.InvalidData, input,
        "Pipe a group with its objects, or an array that is not empty.");

    /// <summary>An object in the pipeline is not a finding.</summary>
    public static ErrorRecord NotAFinding(object input, FormatException problem) => Create(
        new ArgumentException($"The object in the pipeline is not a finding: {problem.Message}"), ErrorId.NotAFinding, ErrorCategory.InvalidData, input,
        "Pipe objects of Test-ConntrackHealth, or objects exported from it.");

    /// <summary>-SortBy names a value that only groups have, but -GroupBy is missing.</summary>
    public static ErrorRecord NoGroups(string sortBy) => Create(
        new ArgumentException($"-SortBy {sortBy} needs groups: entries have no {sortBy}."), ErrorId.InvalidValue, ErrorCategory.InvalidArgument, sortBy,
        $"Add -GroupBy, or use one of {TopSortArgumentAttribute.Choices}.");

    /// <summary>-SortBy names a rate, but -Interval is missing.</summary>
    public static ErrorRecord NoInterval(GroupOrder order) => Create(
        new ArgumentException($"-SortBy {order} needs two readings of the table."), ErrorId.NoInterval, ErrorCategory.InvalidArgument, null,
        "Add -Interval, such as -Interval 5 for five seconds.");

    /// <summary>A line of text is not an entry.</summary>
    public static ErrorRecord InvalidText(ConntrackTextProblem problem, string? file) => Create(
        new FormatException(file is null ? problem.ToString() : $"{TextWidth.Printable(file)}: {problem}"),
        ErrorId.InvalidConntrackText, ErrorCategory.InvalidData, problem.Line,
        problem.IsMasked ? "(-AllowMasked reads it; hidden addresses are null then.)" : null);

    /// <summary>A text format cannot represent an entry.</summary>
    public static ErrorRecord NoTextForm(NotSupportedException exception, ConntrackEntry entry) => Create(
        exception, ErrorId.NoTextForm, ErrorCategory.NotImplemented, entry, "Remove it on its router with Remove-ConntrackEntry.");

    /// <summary>A form of text can't express an expectation or its event.</summary>
    public static ErrorRecord NoTextForm(NotSupportedException exception, ConntrackExpectation expectation) => Create(
        exception, ErrorId.NoTextForm, ErrorCategory.NotImplemented, expectation, null);

    /// <summary>Entries and expectations came for one XML document.</summary>
    public static ErrorRecord MixedDocument(object input) => Create(
        new NotSupportedException("One XML document cannot contain both entries and expectations."), ErrorId.NoTextForm, ErrorCategory.InvalidArgument, input,
        "Convert the entries and the expectations separately.");

    /// <summary>An expectation that was read from text lacks a value that a form of text requires.</summary>
    public static ErrorRecord IncompleteExpectation(IncompleteTupleException exception, object input) => Create(
        new ArgumentException($"The object does not describe the whole expectation: {exception.Message}", exception), ErrorId.NotAnExpectation, ErrorCategory.InvalidData, input,
        exception.Missing.Contains("Address", StringComparison.Ordinal) && !exception.Missing.Contains(',', StringComparison.Ordinal)
            ? "The text that it is from hides it. Read a complete text."
            : "/proc/net/nf_conntrack_expect contains no mask and no master. Use -Format Proc, or read the output of 'conntrack -L expect' instead.");

    /// <summary>A file of text can't be read.</summary>
    public static ErrorRecord UnreadableFile(Exception exception, string path) => Create(
        TextWidth.Printable(exception.Message) is var message && message == exception.Message ? exception : new IOException(message, exception), ErrorId.UnreadableFile,
        exception is UnauthorizedAccessException ? ErrorCategory.PermissionDenied : ErrorCategory.ReadError, path,
        exception switch
        {
            UnusableFileException => "Give a file, or a named pipe that has a writer, or pipe the lines in.",
            PackedFileException packed => $"Unpack it and pipe the lines in: {TextWidth.Printable(packed.Command)} | ConvertFrom-ConntrackText",
            _ => null,
        });

    /// <summary>No expectations were named to delete.</summary>
    public static ErrorRecord NoExpectationFilter(string? networkNamespace) => Create(
        new ArgumentException("No filter was given, so every expectation would be deleted."),
        ErrorId.NoFilter, ErrorCategory.InvalidArgument, null,
        $"Give at least one filter, or pipe expectations in. To delete all of them: Clear-ConntrackTable -Expectation{CommandLine.Where(networkNamespace)}");

    /// <summary>An object in the pipeline does not name an expectation.</summary>
    public static ErrorRecord NotAnExpectation(object input, FormatException problem) => Unreadable(
        problem, $"The object in the pipeline does not name an expectation: {Describe(problem)}", ErrorId.NotAnExpectation, ErrorCategory.InvalidData, input,
        "Pipe objects of Get-ConntrackExpectation, or objects that were exported from it.");

    /// <summary>An object does not name a connection that can be a master.</summary>
    public static ErrorRecord NotAMaster(object input, FormatException problem) => Unreadable(
        problem, $"The object does not name a connection: {Describe(problem)}", ErrorId.NotAnEntry, ErrorCategory.InvalidData, input,
        "Give entries of Get-ConntrackEntry.");

    /// <summary>No expectation matches such a connection.</summary>
    public static ErrorRecord NoSuchExpectation(ExpectationKey key) => Create(
        new ItemNotFoundException($"There is no expectation {key.Tuple} in zone {key.Zone}."),
        ErrorId.ExpectationNotFound, ErrorCategory.ObjectNotFound, key,
        "The connection may have started, the expectation may have expired, or it is in another zone (-Zone) or network namespace.");

    /// <summary>The parameters, or an object in the pipeline, do not describe an expectation.</summary>
    public static ErrorRecord InvalidExpectation(FormatException problem, object? input, long number) => Unreadable(
        problem, Describe(problem), ErrorId.InvalidExpectation, ErrorCategory.InvalidArgument, input,
        "An expectation needs -Master, -SourceAddress and -DestinationAddress, and -DestinationPort if the protocol has ports.", number);

    /// <summary>The kernel did not create an expectation.</summary>
    public static ErrorRecord ExpectationNotCreated(NetlinkException exception, ConntrackExpectation expectation, long number, string? networkNamespace)
    {
        if (exception is HiddenEntryException)
            return From(exception, expectation);
        (ErrorId id, ErrorCategory category, string remedy) = exception.Errno switch
        {
            Errno.Exists => (ErrorId.ExpectationExists, ErrorCategory.ResourceExists, "An expectation for this connection already exists. -Force renews the timeout of an equal one."),
            Errno.Busy => (ErrorId.ExpectationClashes, ErrorCategory.ResourceBusy, "An expectation for some of the same connections already exists. Remove it first, or narrow -SourceAddress."),
            Errno.NotFound => (ErrorId.MasterNotFound, ErrorCategory.ObjectNotFound, "Its master connection does not exist, or is in another zone: see Get-ConntrackEntry" + CommandLine.Where(networkNamespace)),
            Errno.NotSupported => (ErrorId.MasterWithoutHelper, ErrorCategory.InvalidOperation, "Its master connection has no helper, or the given helper is unknown. Attach a helper by a rule (nft ct helper), or with New-ConntrackEntry -Helper."),
            Errno.ShutDown => (ErrorId.MasterWithoutHelper, ErrorCategory.InvalidOperation, "The helper of its master connection was unloaded."),
            Errno.InvalidArgument => (ErrorId.InvalidExpectation, ErrorCategory.InvalidArgument, "The helper has no such -Class, or the kernel no such -Function."),
            Errno.TooMany => (ErrorId.TooManyExpectations, ErrorCategory.LimitsExceeded, "The limit of the helper's class or net.netfilter.nf_conntrack_expect_max is reached. Remove some expectations, or raise ExpectationMaximum with Set-ConntrackSetting in the initial network namespace."),
            _ => (ErrorId.KernelError, ErrorCategory.NotSpecified, ""),
        };
        string place = number > 0 ? $", record {number}" : "";
        return id == ErrorId.KernelError
            ? From(exception, expectation)
            : Create(
                new NetlinkException($"{exception.Operation} of {expectation}{place}", exception.Errno, exception.KernelMessage),
                id, category, expectation, remedy);
    }
}
