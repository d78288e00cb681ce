using System.Text.Json.Serialization;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>New connections get a helper (nft_ct_helper_obj). The kernel does nothing to a connection that is in the table already.</summary>
/// <remarks>The table has one object for each protocol, because an object is for one (NFTA_CT_HELPER_L4PROTO). In a table of the family inet it is for
/// both address families, or for those that the helper has.</remarks>
/// <param name="Helper">The helper's name.</param>
/// <param name="Protocols">TCP, UDP or both. The traffic has no others.</param>
internal sealed record HelperAction(string Helper, IReadOnlyList<IPProtocol> Protocols) : RuleAction
{
    [JsonIgnore]
    public override RuleKind Kind => RuleKind.Helper;

    [JsonIgnore]
    public override string Effect => $"helper {Helper}";

    public override void AddTo(TableBuilder table, NftTransaction transaction, PacketSelector traffic)
    {
        foreach (IPProtocol protocol in Protocols)
            table.AddHelper(transaction, NameOf(protocol), Helper, protocol);
        foreach (BaseChain chain in Chains(Tracked, HookPriority.AfterConntrack))
        {
            foreach ((IReadOnlyList<PacketCondition> conditions, IPProtocol protocol) in Rules(traffic))
            {
                table.AddRule(transaction, chain, [.. conditions, new NewConnectionCondition()], (ref MessageWriter writer) =>
                {
                    ExpressionWriter.Count(ref writer);
                    ExpressionWriter.SetHelper(ref writer, NameOf(protocol));
                });
            }
        }
    }

    public override IEnumerable<string> ToNft(PacketSelector traffic) =>
    [
        .. Protocols.SelectMany(protocol => (string[])
        [
            $"ct helper {NameOf(protocol)} {{",
            $"    type \"{Helper}\" protocol {ProtocolNames.ToKernel(protocol)};",
            "}",
        ]),
        .. Chains(Tracked, HookPriority.AfterConntrack).SelectMany(chain => ChainText(
            chain, Rules(traffic).Select(rule => $"{ConditionText(rule.Conditions)}ct state new counter ct helper set \"{NameOf(rule.Protocol)}\""))),
    ];

    /// <inheritdoc/>
    public bool Equals(HelperAction? other) => other is not null && Helper == other.Helper && Protocols.ToHashSet().SetEquals(other.Protocols);

    /// <inheritdoc/>
    public override int GetHashCode() => Helper.GetHashCode(StringComparison.Ordinal);

    private string NameOf(IPProtocol protocol) => $"{Helper}-{ProtocolNames.ToKernel(protocol)}";

    /// <summary>Each alternative once for each protocol, because an object is for one.</summary>
    private IEnumerable<(IReadOnlyList<PacketCondition> Conditions, IPProtocol Protocol)> Rules(PacketSelector traffic) =>
        from conditions in traffic.Original
        from protocol in Protocols
        where conditions.All(condition => condition is not ValueCondition { Field: ProtocolField } given || given.Values.Contains((byte)protocol))
        select ((IReadOnlyList<PacketCondition>)
        [
            .. conditions.OfType<FamilyCondition>(),
            new ValueCondition(new ProtocolField(), ValueRanges.Of([protocol])),
            .. conditions.Where(condition => condition is not (FamilyCondition or ValueCondition { Field: ProtocolField })),
        ], protocol);
}
