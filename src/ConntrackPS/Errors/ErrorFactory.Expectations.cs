using System.Management.Automation;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Errors;

/// <summary>The error records of expectations.</summary>
internal static partial class ErrorFactory
{
    /// <summary>No expectation was named to delete.</summary>
    public static ErrorRecord NoExpectationFilter(string? networkNamespace) => Create(
        new ArgumentException("Remove-ConntrackExpectation was given nothing to go by, and would have to take every expectation."),
        "NoFilter", ErrorCategory.InvalidArgument, null,
        $"Name expectations by at least one filter, or pipe them in. To delete all of them: Clear-ConntrackTable -Expectation{CommandLine.Where(networkNamespace)}");

    /// <summary>An object in the pipeline does not name an expectation.</summary>
    public static ErrorRecord NotAnExpectation(object input, FormatException problem) => Unreadable(
        problem, $"The object in the pipeline does not name an expectation: {Describe(problem)}", "NotAnExpectation", ErrorCategory.InvalidData, input,
        "Pipe objects of Get-ConntrackExpectation, or such as were exported from it.");

    /// <summary>An object names no connection that may have announced others.</summary>
    public static ErrorRecord NotAMaster(object input, FormatException problem) => Unreadable(
        problem, $"The object does not name a connection: {Describe(problem)}", "NotAnEntry", ErrorCategory.InvalidData, input,
        "Give entries of Get-ConntrackEntry.");

    /// <summary>No expectation would meet such a connection.</summary>
    public static ErrorRecord NoSuchExpectation(ExpectationKey key) => Create(
        new ItemNotFoundException($"No connection is expected as {key.Tuple} in zone {key.Zone}."),
        "ExpectationNotFound", ErrorCategory.ObjectNotFound, key,
        "It may have come, its time may be up, or it is in another zone (-Zone) or network namespace.");

    /// <summary>The parameters, or an object in the pipeline, don't make an expectation.</summary>
    public static ErrorRecord InvalidExpectation(FormatException problem, object? input, long number) => Unreadable(
        problem, Describe(problem), "InvalidExpectation", ErrorCategory.InvalidArgument, input,
        "An expectation needs -Master, -SourceAddress and -DestinationAddress, and -DestinationPort where the protocol has ports.", number);

    /// <summary>The kernel did not make an expectation.</summary>
    public static ErrorRecord ExpectationNotCreated(NetlinkException exception, ConntrackExpectation expectation, long number, string? networkNamespace)
    {
        if (exception is HiddenEntryException)
            return From(exception, expectation);
        (string id, ErrorCategory category, string remedy) = exception.Errno switch
        {
            Errno.Exists => ("ExpectationExists", ErrorCategory.ResourceExists, "One that meets this connection exists already; -Force renews the timeout of an equal one."),
            Errno.Busy => ("ExpectationClashes", ErrorCategory.ResourceBusy, "One that meets some of the same connections exists: remove it first, or narrow -SourceAddress."),
            Errno.NotFound => ("MasterNotFound", ErrorCategory.ObjectNotFound, "The connection that announces it (its master) does not exist, or is in another zone: see Get-ConntrackEntry" + CommandLine.Where(networkNamespace)),
            Errno.NotSupported => ("MasterWithoutHelper", ErrorCategory.InvalidOperation, "The connection that announces it has no helper, or the helper named is unknown: attach one by a rule (nft ct helper), or with New-ConntrackEntry -Helper."),
            Errno.ShutDown => ("MasterWithoutHelper", ErrorCategory.InvalidOperation, "The helper of the connection that announces it was unloaded."),
            Errno.InvalidArgument => ("InvalidExpectation", ErrorCategory.InvalidArgument, "The helper has no such -Class, or the kernel no such -Function."),
            Errno.TooMany => ("TooManyExpectations", ErrorCategory.LimitsExceeded, "There are as many as the helper's class or net.netfilter.nf_conntrack_expect_max allows: remove some, or raise ExpectationMaximum with Set-ConntrackSetting in the initial network namespace."),
            _ => ("", ErrorCategory.NotSpecified, ""),
        };
        string place = number > 0 ? $", record {number}" : "";
        return id.Length == 0
            ? From(exception, expectation)
            : Create(
                new NetlinkException($"{exception.Operation} of {expectation}{place}", exception.Errno, exception.KernelMessage),
                id, category, expectation, remedy);
    }
}
