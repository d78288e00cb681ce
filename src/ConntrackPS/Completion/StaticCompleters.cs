using System.Collections;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Completion;

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
