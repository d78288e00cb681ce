using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Completion;

/// <summary>Completes the states that the protocols typed before have timeouts for, or all.</summary>
public sealed class TimeoutStateCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        TimeoutProtocol[] protocols =
            LanguagePrimitives.TryConvertTo(fakeBoundParameters["Protocol"], out TimeoutProtocol[] given) && given is { Length: > 0 }
                ? given
                : Enum.GetValues<TimeoutProtocol>();
        return TimeoutCatalog.All
            .Where(definition => protocols.Contains(definition.Protocol) && definition.State is not null)
            .GroupBy(definition => definition.State.ToString()!)
            .Where(group => StateNames.Spellings(group.Key).Any(word => word.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase)))
            .Select(group => new CompletionResult(group.Key, group.Key, CompletionResultType.ParameterValue, Describe(group)));
    }

    private static string Describe(IEnumerable<TimeoutDefinition> definitions) =>
        string.Join(", ", definitions.Select(definition => $"{definition.Protocol}: {definition.DefaultSeconds} s by default"));
}
