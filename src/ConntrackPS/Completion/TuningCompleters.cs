using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Completion;

/// <summary>Completes the names of the settings that this kernel has.</summary>
public sealed class SettingNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        SettingCatalog.Present(null)
            .Where(definition => definition.Name.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase))
            .Select(definition => new CompletionResult(definition.Name, definition.Name, CompletionResultType.ParameterValue, definition.Description));
}

/// <summary>Completes the words that the setting typed before takes; numbers have none.</summary>
public sealed class SettingValueCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        fakeBoundParameters["Name"] is string name && SettingCatalog.Find(name, SettingCatalog.Present(null)) is { } definition
            ? (definition.Kind == SettingKind.Boolean ? [CommandLine.Value(true), CommandLine.Value(false)] : SettingValue.Choices(definition))
                .Where(choice => choice.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase))
                .Select(choice => new CompletionResult(choice, choice, CompletionResultType.ParameterValue, definition.Description))
            : [];
}

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
