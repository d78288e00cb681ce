using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Linux;

namespace ConntrackPS.Completion;

/// <summary>Completes the names that <c>ip netns</c> gave.</summary>
public sealed class NetworkNamespaceCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        NetworkNamespace.Names()
            .Where(name => name.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase))
            .Select(name => new CompletionResult(name, name, CompletionResultType.ParameterValue, $"{NetworkNamespace.NamedDirectory}/{name}"));

    /// <summary>The first namespace that stands on the command line; null for none.</summary>
    internal static string? FirstOf(IDictionary bound) => bound["NetworkNamespace"] switch
    {
        string name => name,
        object[] and [string first, ..] => first,
        _ => null,
    };
}
