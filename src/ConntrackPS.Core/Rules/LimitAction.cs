using System.Globalization;
using System.Net;
using System.Text.Json.Serialization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>New connections of a source, or to a destination, are refused while it has as many as a number (nft_connlimit).</summary>
/// <remarks>
/// <para>The kernel counts a connection when its first packet enters the machine, and only then: connections that are older than the rule do
/// not count. Later packets never reach the count, because the kernel would refuse them too while the host has more than the number, and
/// so cut flows without a reply. Connections that this machine opens are not limited, not even those to itself: their first packet is in
/// the table before it comes in from the loopback interface.</para>
/// <para>The count is of connections in the table, except TCP ones in TIME_WAIT and CLOSE (nf_conncount.c: already_closed).
/// A refused connection is not in the table, so it is forgotten at the next packet.</para>
/// <para>The rule is before translation: hosts count by the addresses that they have in packets, as in the original tuple of an entry.</para>
/// </remarks>
/// <param name="Maximum">The number of connections that are allowed.</param>
/// <param name="Prefix">The length of the prefix that counts as one IPv4 host, 1 to 32.</param>
/// <param name="PrefixIPv6">The length of the prefix that counts as one IPv6 host, 1 to 128.</param>
/// <param name="IsPerDestination">True to count by destination instead of by source.</param>
/// <param name="Rejects">True to answer, by a reset or by port unreachable. False to drop.</param>
internal sealed record LimitAction(uint Maximum, int Prefix, int PrefixIPv6, bool IsPerDestination, bool Rejects) : RuleAction
{
    private const string Count = "count";
    private const string Refuse = "refuse";

    /// <summary>Before translation, because the rule is about the addresses that packets come with.</summary>
    private static readonly BaseChain Chain = new($"{Tracked}-prerouting", Hook.PreRouting, HookPriority.AfterConntrack);

    /// <inheritdoc/>
    public override RuleKind Kind => RuleKind.Limit;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Effect
    {
        get
        {
            string exempt = ExemptAddresses == "" ? "" : $", except {ExemptAddresses}";
            return string.Create(
                CultureInfo.InvariantCulture,
                $"at most {Maximum} connections per {(IsPerDestination ? "destination" : "source")} (/{Prefix}, IPv6 /{PrefixIPv6}){exempt}, others {(Rejects ? "rejected" : "dropped")}");
        }
    }

    /// <summary>Prefixes that are never limited, with commas between: of sources, or of destinations if these are counted.</summary>
    public string ExemptAddresses { get; init; } = "";

    /// <summary>The maximum number of hosts that are counted at the same time, of each family. While there are more, the kernel limits only
    /// those that it counts already (nft_dynset.c). A host needs an entry in the table, so this is enough for an nf_conntrack_max up to it,
    /// but for the second that the kernel takes to remove hosts without one.</summary>
    /// <remarks>Each host takes about 160 bytes of the kernel, each further connection about 64. The set itself starts small: the kernel
    /// uses only 16 bits of the size as the first size of its table (rhashtable_params.nelem_hint).</remarks>
    public uint MaximumHosts { get; init; } = 1 << 20;

    /// <summary>The prefixes of <see cref="ExemptAddresses"/>.</summary>
    [JsonIgnore]
    public IReadOnlyList<AddressPrefix> Exempt =>
        [.. ExemptAddresses.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(AddressPrefix.Parse)];

    /// <inheritdoc/>
    public override void AddTo(TableBuilder table, NftTransaction transaction, PacketSelector traffic)
    {
        transaction.Needs = "CONFIG_NF_TABLES_INET, CONFIG_NFT_CT, CONFIG_NFT_CONNLIMIT" + (Rejects ? ", CONFIG_NFT_REJECT_INET and Linux 5.9 to reject" : "");
        table.AddChain(transaction, Refuse);
        foreach ((IReadOnlyList<PacketCondition> conditions, RejectType? reject) in Refusals())
        {
            table.AddRule(transaction, Refuse, conditions, (ref MessageWriter writer) =>
            {
                if (reject is { } type)
                    ExpressionWriter.Reject(ref writer, type);
                else
                    ExpressionWriter.Drop(ref writer);
            });
        }

        table.AddChain(transaction, Count);
        foreach (IReadOnlyList<PacketCondition> conditions in Exemptions(traffic))
            table.AddRule(transaction, Count, conditions, ExpressionWriter.Accept);
        foreach (IPFamily family in Families(traffic))
            AddCount(table, transaction, family);
        foreach (IReadOnlyList<PacketCondition> conditions in FirstPackets(traffic))
            table.AddRule(transaction, Chain, conditions, (ref MessageWriter writer) => ExpressionWriter.Goto(ref writer, Count));
    }

    /// <inheritdoc/>
    public override IEnumerable<string> ToNft(PacketSelector traffic) =>
    [
        .. Families(traffic).SelectMany(family => (string[])
        [
            $"set {SetName(family)} {{",
            string.Create(CultureInfo.InvariantCulture, $"    type {(family == IPFamily.IPv6 ? "ipv6_addr" : "ipv4_addr")}; size {MaximumHosts}; flags dynamic;"),
            "}",
        ]),
        .. ChainText(Refuse, Refusals().Select(rule => ConditionText(rule.Conditions) + VerdictText(rule.Reject))),
        .. ChainText(Count, [.. Exemptions(traffic).Select(conditions => ConditionText(conditions) + "accept"), .. Families(traffic).Select(CountText)]),
        .. ChainText(Chain, FirstPackets(traffic).Select(conditions => $"{ConditionText(conditions)}goto {Count}")),
    ];

    /// <summary>Describes that there are more hosts than the rule can count. Null if there are not.</summary>
    /// <param name="connection">A socket in the rule's network namespace.</param>
    /// <param name="table">The rule's table.</param>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public string? DescribeFull(NetlinkConnection connection, string table)
    {
        IEnumerable<string> full = from family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6]
                                   where SetElements.Count(connection, table, SetName(family)) >= MaximumHosts
                                   select family.ToString();
        return string.Join(" and ", full) is { Length: > 0 } families
            ? string.Create(CultureInfo.InvariantCulture, $"The rule counts {MaximumHosts} {families} hosts, which is the maximum: connections of further hosts are not limited.")
            : null;
    }

    private void AddCount(TableBuilder table, NftTransaction transaction, IPFamily family)
    {
        HeaderField host = Host(family);
        table.AddSet(transaction, SetName(family), host.Type, SetFlags.Dynamic, MaximumHosts);
        table.AddRule(transaction, Count, [new FamilyCondition(family)], (ref MessageWriter writer) =>
        {
            host.Load(ref writer);
            if (!IsWhole(family))
                ExpressionWriter.MaskAddress(ref writer, MaskOf(family));
            ExpressionWriter.CountConnections(ref writer, SetName(family), Maximum);
            ExpressionWriter.Count(ref writer);
            ExpressionWriter.Goto(ref writer, Refuse);
        });
    }

    private string CountText(IPFamily family)
    {
        string key = IsWhole(family) ? Host(family).Nft : $"{Host(family).Nft} & {new IPAddress(MaskOf(family))}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{ConditionText([new FamilyCondition(family)])}add @{SetName(family)} {{ {key} ct count over {Maximum} }} counter goto {Refuse}");
    }

    private IEnumerable<(IReadOnlyList<PacketCondition> Conditions, RejectType? Reject)> Refusals() => Rejects
        ? [([new ValueCondition(new ProtocolField(), ValueRanges.Of([IPProtocol.Tcp]))], RejectType.TcpRst), ([], RejectType.IcmpxUnreach)]
        : [([], null)];

    private static string VerdictText(RejectType? reject) => reject switch
    {
        null => "drop",
        RejectType.TcpRst => "reject with tcp reset",
        _ => "reject with icmpx type port-unreachable",
    };

    private IEnumerable<IReadOnlyList<PacketCondition>> Exemptions(PacketSelector traffic) =>
        AddressConditions.Of([.. Exempt.Where(prefix => Families(traffic).Contains(prefix.Family))], Host);

    /// <summary>A packet that several alternatives match must be counted once: the first of them leads it away.</summary>
    private static IEnumerable<IReadOnlyList<PacketCondition>> FirstPackets(PacketSelector traffic) =>
        traffic.Original.Select(conditions => (IReadOnlyList<PacketCondition>)[new NewConnectionCondition(), new FirstPacketCondition(), .. conditions]);

    private static IEnumerable<IPFamily> Families(PacketSelector traffic) =>
        from family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6]
        where traffic.Original.Any(conditions => conditions.OfType<FamilyCondition>().All(given => given.Family == family))
        select family;

    private static string SetName(IPFamily family) => family == IPFamily.IPv6 ? "connections6" : "connections";

    private HeaderField Host(IPFamily family) => HeaderField.Address(family, isSource: !IsPerDestination);

    private bool IsWhole(IPFamily family) => family == IPFamily.IPv6 ? PrefixIPv6 == 128 : Prefix == 32;

    private byte[] MaskOf(IPFamily family)
    {
        byte[] mask = new byte[family == IPFamily.IPv6 ? 16 : 4];
        int length = family == IPFamily.IPv6 ? PrefixIPv6 : Prefix;
        for (int bit = 0; bit < length; bit++)
            mask[bit / 8] |= (byte)(0x80 >> (bit % 8));
        return mask;
    }
}
