using System.Collections;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Completion;

/// <summary>Completes protocols that have a name here.</summary>
public sealed class ProtocolCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        Enum.GetValues<IPProtocol>().Select(protocol => (protocol.ToString(), $"IP protocol {(byte)protocol}"));
}

/// <summary>Completes states of TCP, SCTP and DCCP.</summary>
public sealed class StateCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        Enum.GetValues<ConntrackState>()
            .Where(state => state is not (ConntrackState.None or ConntrackState.Unknown))
            .Select(state => (state.ToString(), EnumMeanings.Of(state)));
}

/// <summary>Completes status bits.</summary>
public sealed class StatusCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        Enum.GetValues<ConntrackStatus>()
            .Where(bit => bit != ConntrackStatus.None)
            .Select(bit => (bit.ToString(), EnumMeanings.Of(bit)));
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

/// <summary>Completes what groups can be sorted by.</summary>
public sealed class GroupOrderCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        Enum.GetValues<GroupOrder>().Select(order => (order.ToString(), MeaningOf(order)));

    private static string MeaningOf(GroupOrder order) => order switch
    {
        GroupOrder.Count => "entries",
        GroupOrder.TotalPackets or GroupOrder.TotalBytes => "both ways; needs accounting",
        GroupOrder.OriginalPackets or GroupOrder.OriginalBytes => "from the sources; needs accounting",
        GroupOrder.ReplyPackets or GroupOrder.ReplyBytes => "of replies; needs accounting",
        GroupOrder.Assured => "entries that are never dropped early",
        GroupOrder.Unreplied => "entries that have seen no reply",
        GroupOrder.SynSent or GroupOrder.Established or GroupOrder.TimeWait => "entries in this state",
        _ => "needs -Interval",
    };
}
