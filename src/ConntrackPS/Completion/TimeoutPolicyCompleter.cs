using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Policies;

namespace ConntrackPS.Completion;

/// <summary>Completes the names of the timeout policies in the namespace typed before.</summary>
public sealed class TimeoutPolicyCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        Read(NetworkNamespaceCompleter.FirstOf(fakeBoundParameters))
            .Where(policy => policy.Name.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase))
            .Select(policy => new CompletionResult(policy.Name, policy.Name, CompletionResultType.ParameterValue, policy.ToString()));

    /// <summary>Whoever may not list them gets no completion, and no error while typing.</summary>
    private static IReadOnlyList<ConntrackTimeoutPolicy> Read(string? networkNamespace)
    {
        try
        {
            return new TimeoutPolicies(NetworkNamespace.ParseOrOwn(networkNamespace)).Read();
        }
        catch (Exception exception) when (exception is NetlinkException or NetworkNamespaceException or ConntrackUnavailableException)
        {
            return [];
        }
    }
}
