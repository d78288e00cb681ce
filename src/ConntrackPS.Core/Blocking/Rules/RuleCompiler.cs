using ConntrackPS.Conntrack.Filtering;
using static ConntrackPS.Blocking.Rules.RuleAlternatives;

namespace ConntrackPS.Blocking.Rules;

/// <summary>Turns a filter into rules that drop the packets of every flow it names, also of flows that are yet to come, and
/// of no other.</summary>
/// <remarks>A packet alone does not tell who began its flow: one from an address may be that address's answer to a flow
/// that nobody named. So conditions on one direction look at the packet's entry. Conditions on either direction hold for
/// the packet itself, and are met before connection tracking as well.</remarks>
internal static class RuleCompiler
{
    /// <summary>What a packet shows, whichever way it goes.</summary>
    private static readonly HashSet<string> OfEitherDirection =
    [
        nameof(ConntrackFilter.AddressFamily), nameof(ConntrackFilter.Protocol), nameof(ConntrackFilter.Address), nameof(ConntrackFilter.Port),
    ];

    /// <returns>The rules; none where the filter asks for something that new flows don't have or show.</returns>
    public static IReadOnlyList<BlockRule> Compile(ConntrackFilter filter)
    {
        if (!filter.Terms.All(term => OfEitherDirection.Contains(term.Property) || OfTuples.ContainsKey(term.Property)))
            return [];
        bool isSymmetric = filter.Terms.All(term => OfEitherDirection.Contains(term.Property));
        BlockRule[] ofPackets = isSymmetric ? [.. Combine(filter, OfPacket)] : [];
        bool isComplete = isSymmetric && filter.Address.Count == 0 && filter.Port.Count == 0;
        return isComplete ? ofPackets : [.. ofPackets, .. Combine(filter, OfEntry)];
    }

    /// <summary>All ways to meet every term.</summary>
    private static IEnumerable<BlockRule> Combine(ConntrackFilter filter, Func<ConntrackFilter, string, IEnumerable<BlockRule>> alternatives)
    {
        IEnumerable<BlockRule> rules = [new BlockRule([])];
        foreach (FilterTerm term in filter.Terms)
        {
            BlockRule[] choices = [.. alternatives(filter, term.Property)];
            rules = rules.SelectMany(rule => choices.Select(rule.And)).OfType<BlockRule>();
        }

        return rules;
    }

    private static IEnumerable<BlockRule> OfEntry(ConntrackFilter filter, string property) => OfTuples[property](filter);

    private static IEnumerable<BlockRule> OfPacket(ConntrackFilter filter, string property) => property switch
    {
        nameof(filter.Address) => HeaderAddresses(filter.Address),
        nameof(filter.Port) => HeaderPorts(filter.Port),
        _ => OfEntry(filter, property),
    };
}
