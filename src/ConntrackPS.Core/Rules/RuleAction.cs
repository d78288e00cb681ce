using System.Globalization;
using System.Text.Json.Serialization;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>The effect of a rule on the packets that match it.</summary>
/// <remarks>The file of a persisted rule has the action as JSON, so that it can be read back.</remarks>
[JsonDerivedType(typeof(NoTrackAction), nameof(RuleKind.NoTrack))]
[JsonDerivedType(typeof(HelperAction), nameof(RuleKind.Helper))]
[JsonDerivedType(typeof(LimitAction), nameof(RuleKind.Limit))]
internal abstract record RuleAction
{
    private protected const string Raw = "raw";
    private protected const string Tracked = "tracked";

    /// <summary>The kind of rule.</summary>
    [JsonIgnore]
    public abstract RuleKind Kind { get; }

    /// <summary>The effect in a few words.</summary>
    [JsonIgnore]
    public abstract string Effect { get; }

    /// <summary>Adds the rules, and what they need, to a new table.</summary>
    public abstract void AddTo(TableBuilder table, NftTransaction transaction, PacketSelector traffic);

    /// <summary>The same in the language of nft(8): the objects and sets, then the chains.</summary>
    public abstract IEnumerable<string> ToNft(PacketSelector traffic);

    /// <summary>The chains that see every packet that enters the machine, and every packet that a process sends.</summary>
    private protected static BaseChain[] Chains(string name, HookPriority priority) =>
    [
        new($"{name}-prerouting", Hook.PreRouting, priority), new($"{name}-output", Hook.LocalOut, priority),
    ];

    private protected static IEnumerable<string> ChainText(BaseChain chain, IEnumerable<string> rules) =>
    [
        $"chain {chain.Name} {{",
        string.Create(
            CultureInfo.InvariantCulture,
            $"    type filter hook {(chain.Hook == Hook.LocalOut ? "output" : "prerouting")} priority {(int)chain.Priority}; policy accept;"),
        .. rules.Select(rule => "    " + rule),
        "}",
    ];

    /// <summary>A chain that only other chains lead to.</summary>
    private protected static IEnumerable<string> ChainText(string chain, IEnumerable<string> rules) =>
        [$"chain {chain} {{", .. rules.Select(rule => "    " + rule), "}"];

    private protected static string ConditionText(IReadOnlyList<PacketCondition> conditions) =>
        string.Concat(conditions.Select(condition => condition.ToNft() + " "));
}

/// <summary>Packets of both directions belong to no connection. The rule is before connection tracking (nft_notrack).</summary>
internal sealed record NoTrackAction : RuleAction
{
    public override RuleKind Kind => RuleKind.NoTrack;

    public override string Effect => "not tracked";

    public override void AddTo(TableBuilder table, NftTransaction transaction, PacketSelector traffic)
    {
        foreach (BaseChain chain in Chains(Raw, HookPriority.Raw))
        {
            foreach (IReadOnlyList<PacketCondition> conditions in Both(traffic))
            {
                table.AddRule(transaction, chain, conditions, (ref MessageWriter writer) =>
                {
                    ExpressionWriter.Count(ref writer);
                    ExpressionWriter.NoTrack(ref writer);
                });
            }
        }
    }

    public override IEnumerable<string> ToNft(PacketSelector traffic) => Chains(Raw, HookPriority.Raw).SelectMany(
        chain => ChainText(chain, Both(traffic).Select(conditions => ConditionText(conditions) + "counter notrack")));

    /// <summary>Each once: filters of either direction match the same packets both ways.</summary>
    private static IEnumerable<IReadOnlyList<PacketCondition>> Both(PacketSelector traffic) =>
        traffic.Original.Concat(traffic.Reply).DistinctBy(ConditionText);
}
