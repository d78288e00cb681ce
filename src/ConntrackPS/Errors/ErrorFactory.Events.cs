using System.Management.Automation;

namespace ConntrackPS.Errors;

/// <summary>The error records of watching.</summary>
internal static partial class ErrorFactory
{
    /// <summary>-AllNamespace and -NetworkNamespace at once.</summary>
    public static ErrorRecord AllOrOneNamespace() => Create(
        new ArgumentException("-AllNamespace and -NetworkNamespace exclude each other."), "AllOrOneNamespace", ErrorCategory.InvalidArgument, null,
        "Leave one of them out.");

    /// <summary>Wildcards that match no network namespace.</summary>
    public static ErrorRecord NoNamespaceMatches(string[] names) => Create(
        new ItemNotFoundException($"No network namespace has a name such as '{string.Join("', '", names)}'."), "NetworkNamespaceNotFound",
        ErrorCategory.ObjectNotFound, names, "'ip netns list' shows the names; -AllNamespace waits for namespaces to come.");

    /// <summary>-Forward and -Action at once.</summary>
    public static ErrorRecord ForwardWithAction() => Create(
        new ArgumentException("-Forward and -Action exclude each other."), "ForwardWithAction", ErrorCategory.InvalidArgument, null,
        "Leave -Action out, and register it where the events are forwarded to.");

    /// <summary>The name of a subscription is taken.</summary>
    public static ErrorRecord SubscriberExists(string sourceIdentifier) => Create(
        new ArgumentException($"There is a subscription '{sourceIdentifier}' already."), "SubscriberExists", ErrorCategory.ResourceExists, sourceIdentifier,
        $"Give another -SourceIdentifier, or end that one: Unregister-Event '{sourceIdentifier}'.");

    /// <summary>The engine did not take the subscription.</summary>
    public static ErrorRecord InvalidSubscription(ArgumentException exception, string sourceIdentifier) => Create(
        exception, "InvalidSubscription", ErrorCategory.InvalidArgument, sourceIdentifier, "Give another -SourceIdentifier.");
}
