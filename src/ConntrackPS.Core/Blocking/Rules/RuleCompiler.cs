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
    /// <returns>The rules; none where the filter asks for something that new flows don't have or show.</returns>
    public static IReadOnlyList<BlockRule> Compile(ConntrackFilter filter)
    {
        if (!filter.Terms.All(term => Know(term.Property)))
            return [];
        bool isSymmetric = filter.Terms.All(term => IsOfEitherDirection(term.Property));
        BlockRule[] ofPackets = isSymmetric ? [.. Combine(filter, OfPacket)] : [];

        // Family and protocol are the same in every packet of a flow; an address or port may have been translated.
        bool isComplete = isSymmetric && !filter.Terms.Any(term => TupleProperties.TryFind(term.Property, out _));
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
}
