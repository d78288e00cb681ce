using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Errors;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Completion;

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
