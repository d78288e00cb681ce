using System.Globalization;
using System.Net;
using System.Text.Json.Serialization;
using ConntrackPS.Conntrack;
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

/// <summary>New connections get a helper (nft_ct_helper_obj). The kernel does nothing to a connection that is in the table already.</summary>
/// <param name="Helper">The helper's name.</param>
/// <param name="Protocol">TCP or UDP.</param>
internal sealed record HelperAction(string Helper, IPProtocol Protocol) : RuleAction
{
    public override RuleKind Kind => RuleKind.Helper;

    public override string Effect => $"helper {Helper}";

    private string ObjectName => $"{Helper}-{ProtocolNames.ToKernel(Protocol)}";

    public override void AddTo(TableBuilder table, NftTransaction transaction, PacketSelector traffic)
    {
        table.AddHelper(transaction, ObjectName, Helper, Protocol);
        foreach (BaseChain chain in Chains(Tracked, HookPriority.AfterConntrack))
        {
            foreach (IReadOnlyList<PacketCondition> conditions in traffic.Original)
            {
                table.AddRule(transaction, chain, [.. conditions, new NewConnectionCondition()], (ref MessageWriter writer) =>
                {
                    ExpressionWriter.Count(ref writer);
                    ExpressionWriter.SetHelper(ref writer, ObjectName);
                });
            }
        }
    }

    public override IEnumerable<string> ToNft(PacketSelector traffic) =>
    [
        $"ct helper {ObjectName} {{",
        $"    type \"{Helper}\" protocol {ProtocolNames.ToKernel(Protocol)};",
        "}",
        .. Chains(Tracked, HookPriority.AfterConntrack).SelectMany(chain => ChainText(
            chain, traffic.Original.Select(conditions => $"{ConditionText(conditions)}ct state new counter ct helper set \"{ObjectName}\""))),
    ];
}

/// <summary>New connections of a source, or to a destination, are refused while it has more than a number (nft_connlimit).</summary>
/// <param name="Maximum">The number of connections that are allowed.</param>
/// <param name="Prefix">The length of the prefix that counts as one IPv4 host.</param>
/// <param name="PrefixIPv6">The length of the prefix that counts as one IPv6 host.</param>
/// <param name="IsPerDestination">True to count by destination instead of by source.</param>
/// <param name="Rejects">True to answer, by a reset or by port unreachable. False to drop.</param>
internal sealed record LimitAction(uint Maximum, int Prefix, int PrefixIPv6, bool IsPerDestination, bool Rejects) : RuleAction
{
    /// <summary>As many hosts are counted at the same time, of each family. The kernel refuses no connection of a host beyond that.</summary>
    private const uint MaximumHosts = 1 << 18;

    private static readonly BaseChain Chain = new($"{Tracked}-prerouting", Hook.PreRouting, HookPriority.AfterConntrack);

    public override RuleKind Kind => RuleKind.Limit;

    public override string Effect => string.Create(
        CultureInfo.InvariantCulture,
        $"at most {Maximum} connections per {(IsPerDestination ? "destination" : "source")} (/{Prefix}, IPv6 /{PrefixIPv6}), others {(Rejects ? "rejected" : "dropped")}");

    public override void AddTo(TableBuilder table, NftTransaction transaction, PacketSelector traffic)
    {
        foreach (IPFamily family in Families(traffic))
        {
            HeaderField field = HeaderField.Address(family, !IsPerDestination);
            byte[] mask = MaskOf(family);
            table.AddSet(transaction, SetName(family), field.Type, SetFlags.Dynamic, MaximumHosts);
            foreach ((IReadOnlyList<PacketCondition> conditions, RejectType? type) in Rules(traffic, family))
            {
                table.AddRule(transaction, Chain, conditions, (ref MessageWriter writer) =>
                {
                    field.Load(ref writer);
                    ExpressionWriter.MaskAddress(ref writer, mask);
                    ExpressionWriter.CountConnections(ref writer, SetName(family), Maximum);
                    ExpressionWriter.Count(ref writer);
                    if (type is { } reject)
                        ExpressionWriter.Reject(ref writer, reject);
                    else
                        ExpressionWriter.Drop(ref writer);
                });
            }
        }
    }

    public override IEnumerable<string> ToNft(PacketSelector traffic) =>
    [
        .. Families(traffic).SelectMany(family => (string[])
        [
            $"set {SetName(family)} {{",
            string.Create(CultureInfo.InvariantCulture, $"    type {(family == IPFamily.IPv6 ? "ipv6_addr" : "ipv4_addr")}; size {MaximumHosts}; flags dynamic;"),
            "}",
        ]),
        .. ChainText(Chain, Families(traffic).SelectMany(family => Rules(traffic, family).Select(rule => RuleText(family, rule.Conditions, rule.Reject)))),
    ];

    private string RuleText(IPFamily family, IReadOnlyList<PacketCondition> conditions, RejectType? reject)
    {
        string key = $"{HeaderField.Address(family, !IsPerDestination).Nft} & {new IPAddress(MaskOf(family))}";
        string verdict = reject switch
        {
            null => "drop",
            RejectType.TcpReset => "reject with tcp reset",
            _ => "reject with icmpx port-unreachable",
        };
        return string.Create(CultureInfo.InvariantCulture, $"{ConditionText(conditions)}add @{SetName(family)} {{ {key} ct count over {Maximum} }} counter {verdict}");
    }

    /// <summary>A connection must be counted once, so each packet may reach only one of the rules of a family.</summary>
    private IEnumerable<(IReadOnlyList<PacketCondition> Conditions, RejectType? Reject)> Rules(PacketSelector traffic, IPFamily family)
    {
        ValueCondition isTcp = new(new ProtocolField(), ValueRanges.Of([IPProtocol.Tcp]));
        foreach (IReadOnlyList<PacketCondition> alternative in traffic.Original)
        {
            if (alternative.OfType<FamilyCondition>().FirstOrDefault() is { } given && given.Family != family)
                continue;
            PacketCondition[] conditions = [new FamilyCondition(family), .. alternative.Where(condition => condition is not FamilyCondition), new NewConnectionCondition()];
            if (Rejects)
                yield return ([.. conditions, isTcp], RejectType.TcpReset);
            yield return (Rejects ? [.. conditions, new OtherProtocolCondition(IPProtocol.Tcp)] : conditions, Rejects ? RejectType.IcmpxUnreachable : null);
        }
    }

    private static IEnumerable<IPFamily> Families(PacketSelector traffic) =>
        from family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6]
        where traffic.Original.Any(conditions => conditions.OfType<FamilyCondition>().All(given => given.Family == family))
        select family;

    private static string SetName(IPFamily family) => family == IPFamily.IPv6 ? "connections6" : "connections";

    private byte[] MaskOf(IPFamily family)
    {
        byte[] mask = new byte[family == IPFamily.IPv6 ? 16 : 4];
        int length = family == IPFamily.IPv6 ? PrefixIPv6 : Prefix;
        for (int bit = 0; bit < length; bit++)
            mask[bit / 8] |= (byte)(0x80 >> (bit % 8));
        return mask;
    }
}
