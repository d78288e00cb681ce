using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Linux;

namespace ConntrackPS.Completion;

/// <summary>Completes a parameter from a list of values, each with a word on what it means.</summary>
/// <remarks>Not for parameters of an enum: PowerShell completes these by itself, and asks no completer.</remarks>
public abstract class ChoiceCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string typed = (wordToComplete ?? "").Trim('\'', '"');
        return Choices(parameterName, typed, fakeBoundParameters)
            .Where(choice => choice.Value.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .Select(choice => new CompletionResult(Quote(choice.Value), choice.Value, CompletionResultType.ParameterValue, choice.Meaning));
    }

    /// <summary>The values; those that don't begin with what was typed are left out afterwards.</summary>
    /// <param name="parameter">The parameter's name.</param>
    /// <param name="typed">What was typed so far.</param>
    /// <param name="bound">The other parameters on the line.</param>
    private protected abstract IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound);

    /// <summary>Names that people give, to labels for instance, may hold what means something to PowerShell.</summary>
    private static string Quote(string value) =>
        value.All(letter => char.IsLetterOrDigit(letter) || letter is '.' or ':' or '-' or '_' or '/') && value.Length > 0 && value[0] != '-'
            ? value
            : $"'{CodeGeneration.EscapeSingleQuotedStringContent(value)}'";
}

/// <summary>Completes the labels that have a name in connlabel.conf.</summary>
public sealed class LabelCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        LabelNames.System.Names.Select(name => (name, LabelNames.System.TryGetBit(name, out int bit) ? $"label bit {bit}" : name));
}

/// <summary>Completes the properties that entries can be grouped by.</summary>
public sealed class GroupPropertyCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        GroupProperties.All.Select(property => (property.Name, property.Description));
}

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
