using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules.Tracking;

/// <summary>A reason why traffic must stay tracked.</summary>
/// <param name="Place">The place: a rule in the words of nft (<c>inet filter forward handle 7</c>) or iptables (<c>iptables -t filter FORWARD
/// 3</c>), or the table of entries.</param>
/// <param name="Explanation">The part of it that works only with entries, as a phrase that follows the place.</param>
public sealed record TrackingReason(string Place, string Explanation)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Place} {Explanation}";
}

/// <summary>Traffic was to be exempted from tracking, but rules or translations need its entries. Nothing was changed.</summary>
/// <param name="reasons">The reasons.</param>
public sealed class TrackingNeededException(IReadOnlyList<TrackingReason> reasons)
    : Exception($"The traffic must stay tracked:{string.Concat(reasons.Select(reason => $"{Environment.NewLine}  {reason}."))}{Environment.NewLine}")
{
    /// <summary>The reasons.</summary>
    public IReadOnlyList<TrackingReason> Reasons { get; } = reasons;
}

/// <summary>Finds the reasons why the traffic of a filter must stay tracked: rules that translate it, rules that treat packets without an entry
/// in another way, and entries that are translated.</summary>
/// <remarks>
/// <para>An exemption applies to all packets that look like those of the traffic, in both directions. For each hook that they may pass, the
/// rules are followed twice, for a packet that is tracked (its state is established, related or new) and for the same packet without
/// tracking. A rule is a reason if the packets part there, and if it is not certain that they meet with the same verdict in the same base
/// chain:</para>
/// <list type="bullet">
/// <item><c>ct state established,related accept</c> is a reason, unless later rules certainly accept the packet anyway.</item>
/// <item><c>ct state invalid drop</c> is not a reason, because no tracked packet is dropped that would pass without tracking. Packets that
/// tracking finds invalid pass then.</item>
/// <item>A rule that takes established, related and untracked packets alike is not a reason. Nor is one that accepts only untracked ones,
/// because that is its purpose.</item>
/// <item>A rule that drops packets by their entry (<c>ct state new drop</c>) is a reason, unless later rules certainly drop them: the exemption
/// would open the firewall.</item>
/// <item>A rule that only counts or logs packets by their state is not a reason.</item>
/// <item>A rule that stores something in the entry (a helper, a mark, a zone) or counts entries is a reason.</item>
/// </list>
/// <para>A rule translates traffic if the first packet of a connection may pass it, or if the replies of the connections that it translates
/// may look like the traffic: on their way back they have other addresses, so that a filter that does not name the connection may
/// still exempt them. Status bits of translation count as clear elsewhere, because translated traffic has a reason already.</para>
/// <para>Connections that begin in the other direction are considered too, unless their first packet would have to leave from a port
/// that the filter names as a destination.</para>
/// <para>Conditions on the family, the protocol, addresses and ports are compared with the filter. Each other condition, such as an
/// interface, a mark or a rate, may be met or not. An expression, match or target that is unknown here may need entries. The addresses of
/// this machine decide which packets pass the hooks input, forward and output; packets with forged addresses are left out. Rules of the
/// families arp and netdev do not see entries. Rules of tc, Open vSwitch and eBPF programs are not read.</para>
/// </remarks>
public sealed class TrackingCheck
{
    private const string Operation = "list the rules that need tracking";

    private static readonly string[] XtTables = ["raw", "mangle", "nat", "filter", "security"];

    private readonly PacketBox[] _boxes;
    private readonly IReadOnlyDictionary<IPFamily, LocalAddresses?> _local;
    private readonly List<TrackingReason> _reasons = [];
    private readonly Dictionary<(string Place, string Words), (PacketStates States, Ends Ends)> _found = [];

    private TrackingCheck(ConntrackFilter filter, IReadOnlyDictionary<IPFamily, LocalAddresses?> local)
    {
        PacketSelector traffic = PacketSelector.Of(filter);
        _boxes =
        [
            .. traffic.Original.SelectMany(PacketBox.Of).Concat(traffic.Reply.SelectMany(PacketBox.Of).Select(box => box with { MayBegin = box.HasAnySourcePort }))
                .DistinctBy(box => box with { MayBegin = true }),
        ];
        _local = local;
    }

    /// <summary>Finds the reasons in a network namespace.</summary>
    /// <param name="filter">The traffic.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="stop">Stops the reading of entries.</param>
    /// <exception cref="UnsupportedConditionException">The filter has a condition on something that packets do not have.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="IncompleteListingException">The ruleset changed during each attempt to read it, or entries may have been
    /// missed.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static IReadOnlyList<TrackingReason> Find(ConntrackFilter filter, NetworkNamespace? networkNamespace = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        Dictionary<IPFamily, LocalAddresses?> local = NetworkNamespace.RunIn(
            networkNamespace, () => ((IPFamily[])[IPFamily.IPv4, IPFamily.IPv6]).ToDictionary(family => family, LocalAddresses.Read));
        TrackingCheck check = new(filter, local);
        using (NetlinkConnection connection = ConntrackTable.Attempt(() => NetlinkConnection.Open(networkNamespace)))
        {
            foreach (FirewallTable table in NftDecoder.Tables(NftRuleset.Read(connection, Operation, static _ => true)))
                check.Add(table);
        }

        check.AddIptables(networkNamespace);
        check.AddEntries(networkNamespace, stop);
        return check.Reasons();
    }

    /// <summary>Finds the reasons in given tables.</summary>
    internal static IReadOnlyList<TrackingReason> Find(ConntrackFilter filter, IEnumerable<FirewallTable> tables, IReadOnlyDictionary<IPFamily, LocalAddresses?> local)
    {
        TrackingCheck check = new(filter, local);
        foreach (FirewallTable table in tables)
            check.Add(table);
        return check.Reasons();
    }

    private void AddIptables(NetworkNamespace? networkNamespace)
    {
        foreach (bool isIPv6 in (bool[])[false, true])
        {
            bool isRead = true;
            foreach (string name in XtTables)
            {
                XTable? table = NetworkNamespace.RunIn(networkNamespace, () => XTable.Read(name, isIPv6));
                if (table is not null && XtDecoder.Decode(table, name, isIPv6) is { } rules)
                    Add(rules);
                else
                    isRead = false;
            }

            if (!isRead && Array.Exists(_boxes, box => box.Family == (isIPv6 ? IPFamily.IPv6 : IPFamily.IPv4)))
                _reasons.Add(new TrackingReason(isIPv6 ? "ip6tables" : "iptables", "may have rules that need tracking: only root can read them"));
        }
    }

    /// <summary>Entries whose packets would be exempted, and that are translated or have a helper.</summary>
    private void AddEntries(NetworkNamespace? networkNamespace, CancellationToken stop)
    {
        (string Words, Func<ConntrackEntry, bool> Matters, List<ConntrackEntry> First, int Count)[] kinds =
        [
            ("translated", entry => Translation.OfSource(entry) || Translation.OfDestination(entry), [], 0),
            ("served by a helper", entry => entry.Helper is not null, [], 0),
        ];
        using EntryStream stream = new ConntrackTable(networkNamespace).Open();
        using CancellationTokenRegistration registration = stop.Register(stream.Cancel);
        foreach (ConntrackEntry entry in stream.Batches().SelectMany(batch => batch))
        {
            for (int i = 0; i < kinds.Length; i++)
            {
                if (!kinds[i].Matters(entry) || !Array.Exists(_boxes, box => box.Contains(entry.Original) || box.Contains(entry.Reply)))
                    continue;
                if (kinds[i].Count++ == 0)
                    kinds[i].First.Add(entry);
            }
        }

        foreach ((string words, _, List<ConntrackEntry> first, int count) in kinds.Where(kind => kind.Count > 0))
        {
            _reasons.Add(new TrackingReason(
                "The table of connections",
                $"has {Counted.Entries(count)} with packets of this traffic that {Counted.Is(count)} {words}{(count == 1 ? ": " : ", such as ")}{first[0]}"));
        }
    }

    private void Add(FirewallTable table)
    {
        foreach (FirewallChain chain in table.Chains.Values.Where(chain => chain.Hook is not null))
        {
            foreach (PacketBox box in _boxes.Where(box => table.Families.Contains(box.Family)).SelectMany(box => box.At(chain.Hook!.Value, _local.GetValueOrDefault(box.Family))))
                new Walk(this, table, box).Follow(chain);
        }

        // The replies of translated connections, whatever the direction that the filter names.
        foreach (FirewallRule rule in table.Chains.Values.SelectMany(chain => chain.Rules).Where(rule => rule.Translation is not null))
        {
            foreach (PacketBox box in _boxes.Where(box => table.Families.Contains(box.Family)))
            {
                if (rule.Replies(box.Family, _local.GetValueOrDefault(box.Family)) is { } replies && replies.Overlaps(box)
                    && !_found.ContainsKey((rule.Place, rule.Words)))
                {
                    Add(rule.Place, $"{rule.Words}, and replies of those connections may look like this traffic");
                }
            }
        }
    }

    /// <summary>Adds a rule, once for all packets. The words may have {states} and {fate}.</summary>
    private void Add(string place, string words, PacketStates state = PacketStates.None, Ends untracked = Ends.None)
    {
        (PacketStates states, Ends ends) = _found.GetValueOrDefault((place, words));
        _found[(place, words)] = (states | state, ends | untracked);
    }

    private List<TrackingReason> Reasons() =>
    [
        .. _found.Select(found => new TrackingReason(
            found.Key.Place,
            found.Key.Words.Replace("{states}", WordsOf(found.Value.States), StringComparison.Ordinal).Replace("{fate}", FateOf(found.Value.Ends), StringComparison.Ordinal))),
        .. _reasons,
    ];

    private static string WordsOf(PacketStates states) => string.Join(", ", NftComparison.States.Where(state => (states & state) != 0)).ToLowerInvariant();

    private static string FateOf(Ends ends) => ends switch
    {
        Ends.Accept => "are accepted by later rules",
        Ends.Drop => "are dropped",
        _ when ends.HasFlag(Ends.Drop) => "may be dropped",
        _ => "may be treated in another way",
    };

    /// <summary>The possible ends of packets in the rest of a chain.</summary>
    [Flags]
    private enum Ends
    {
        None = 0,
        Accept = 1,
        Drop = 2,
        Taken = 4,

        /// <summary>The packet reaches the end of the chain.</summary>
        Through = 8,
    }

    /// <summary>Follows the packets of a box through the chains of a table.</summary>
    private sealed class Walk(TrackingCheck check, FirewallTable table, PacketBox box)
    {
        private readonly Dictionary<(string Chain, PacketStates State), Ends[]> _ends = [];
        private readonly HashSet<(string Chain, PacketStates State, Ends Tracked, Ends Untracked)> _followed = [];

        /// <summary>Follows the packets through a base chain.</summary>
        public void Follow(FirewallChain chain)
        {
            if (chain.IsNat)
            {
                if (box.MayBegin)
                    FollowFirst(chain, []);
                return;
            }

            Ends policy = chain.Policy == RuleEnd.Drop ? Ends.Drop : Ends.Accept;
            PacketStates[] states = [PacketStates.Established, PacketStates.Related, .. box.MayBegin ? (PacketStates[])[PacketStates.New] : []];
            foreach (PacketStates state in states)
                Compare(chain, state, policy, policy);
        }

        /// <summary>Follows the first packet of a connection, which alone passes chains for translation. Packets without tracking do
        /// not.</summary>
        /// <returns>True if no packet reaches the end of the chain.</returns>
        private bool FollowFirst(FirewallChain chain, HashSet<string> jumps)
        {
            foreach (FirewallRule rule in chain.Rules)
            {
                Answer answer = rule.Of(box, PacketStates.New);
                if (answer == Answer.No)
                    continue;
                if (rule.Effect is RuleEffect.Translates or RuleEffect.UsesEntry)
                    check.Add(rule.Place, rule.Words);
                else if (rule.Effect == RuleEffect.Changes || rule.End is RuleEnd.Drop or RuleEnd.Taken)
                    check.Add(rule.Place, rule.Effect == RuleEffect.Changes ? $"{rule.Words} in a chain that untracked packets do not pass" : "stops packets in a chain that untracked packets do not pass");
                bool isOver = rule.End is RuleEnd.Accept or RuleEnd.Drop or RuleEnd.Taken;
                if (rule.End is RuleEnd.Jump or RuleEnd.Goto && rule.Chain is { } name && jumps.Add(name))
                {
                    isOver = table.Chains.TryGetValue(name, out FirewallChain? target) && FollowFirst(target, jumps);
                    jumps.Remove(name);
                }

                if (answer == Answer.Yes && (isOver || rule.End is RuleEnd.Return or RuleEnd.Goto))
                    return isOver;
            }

            return false;
        }

        /// <summary>Follows a tracked packet and one that is not, as long as both may have met the same rules.</summary>
        /// <param name="chain">The chain.</param>
        /// <param name="state">The state of the tracked packet.</param>
        /// <param name="tracked">The ends of the tracked packet after this chain.</param>
        /// <param name="untracked">The ends of the other packet after this chain.</param>
        private void Compare(FirewallChain chain, PacketStates state, Ends tracked, Ends untracked)
        {
            if (!_followed.Add((chain.Name, state, tracked, untracked)))
                return;
            Ends[] trackedEnds = EndsOf(chain, state), untrackedEnds = EndsOf(chain, PacketStates.Untracked);
            for (int i = 0; i < chain.Rules.Count; i++)
            {
                FirewallRule rule = chain.Rules[i];
                Answer answer = rule.Of(box, state), other = rule.DependsOnEntry ? rule.Of(box, PacketStates.Untracked) : answer;
                if (answer == Answer.No && other == Answer.No)
                    continue;
                if (rule.Effect is RuleEffect.UsesEntry or RuleEffect.Translates && answer != Answer.No)
                    check.Add(rule.Place, rule.Words);
                Ends afterTracked = Then(trackedEnds[i + 1], tracked), afterUntracked = Then(untrackedEnds[i + 1], untracked);
                if (IsSame(rule, state, answer, other))
                {
                    if (Target(rule) is { } target)
                    {
                        bool isGoto = rule.End == RuleEnd.Goto;
                        Compare(target, state, isGoto ? tracked : afterTracked, isGoto ? untracked : afterUntracked);
                    }

                    if (answer == Answer.Yes && other == Answer.Yes && !MayContinue(rule, state))
                        return;
                    continue;
                }

                // The packets part here: one meets the conditions, the other goes on.
                bool isFound = answer != Answer.No && rule.OfEntry(box, PacketStates.Untracked) != Answer.Yes
                    && Part(rule, state, EndsAt(rule, state, tracked, afterTracked), afterUntracked);
                if (!isFound && other != Answer.No && rule.OfEntry(box, state) != Answer.Yes)
                    PartUntracked(rule, EndsAt(rule, PacketStates.Untracked, untracked, afterUntracked), afterTracked);
                if ((answer == Answer.Yes || other == Answer.Yes) && !MayContinue(rule, answer == Answer.Yes ? state : PacketStates.Untracked))
                    return;
            }
        }

        /// <summary>True if both packets meet the rule, or neither does.</summary>
        private bool IsSame(FirewallRule rule, PacketStates state, Answer answer, Answer other) =>
            !rule.DependsOnEntry || (answer == other && answer is Answer.Yes)
            || (rule.OfEntry(box, state) == Answer.Yes && rule.OfEntry(box, PacketStates.Untracked) == Answer.Yes);

        /// <summary>A tracked packet meets a rule that one without tracking does not.</summary>
        /// <returns>True if that is a reason.</returns>
        private bool Part(FirewallRule rule, PacketStates state, Ends tracked, Ends untracked)
        {
            string conditions = string.Join(" and ", rule.Tests.Select(test => test.OnEntry).OfType<string>().Distinct());
            bool isState = conditions == "ct state";
            string packets = isState ? "packets of the state {states}" : $"packets by {conditions}";
            if (rule.Effect == RuleEffect.Changes)
            {
                check.Add(rule.Place, $"{rule.Words} of {packets}, and does nothing to untracked ones", state);
                return true;
            }

            if (rule.End == RuleEnd.Continue || (tracked == untracked && tracked is Ends.Accept or Ends.Drop))
                return false;
            string verb = rule.End switch
            {
                RuleEnd.Accept => "accepts",
                RuleEnd.Drop => "drops",
                RuleEnd.Return => "ends its chain for",
                RuleEnd.Taken => "passes on",
                _ => $"has the chain {rule.Chain} for",
            };
            check.Add(rule.Place, $"{verb} {packets}, but untracked ones {{fate}}", state, untracked);
            return true;
        }

        /// <summary>A packet without tracking meets a rule that a tracked one does not. A rule that accepts it is there for that.</summary>
        private void PartUntracked(FirewallRule rule, Ends untracked, Ends tracked)
        {
            if (rule.Effect == RuleEffect.None && rule.End != RuleEnd.Continue && untracked != Ends.Accept && !(tracked == untracked && tracked == Ends.Drop))
                check.Add(rule.Place, $"decides over untracked packets, which {{fate}}", PacketStates.None, untracked);
        }

        private FirewallChain? Target(FirewallRule rule) =>
            rule.End is RuleEnd.Jump or RuleEnd.Goto && rule.Chain is { } name ? table.Chains.GetValueOrDefault(name) : null;

        /// <summary>True if a packet that meets the rule may go on to the next one.</summary>
        private bool MayContinue(FirewallRule rule, PacketStates state) => rule.End switch
        {
            RuleEnd.Continue => true,
            RuleEnd.Jump => Target(rule) is not { } target || EndsOf(target, state)[0].HasFlag(Ends.Through),
            _ => false,
        };

        /// <summary>The ends of a packet that meets a rule.</summary>
        private Ends EndsAt(FirewallRule rule, PacketStates state, Ends outer, Ends next) => rule.End switch
        {
            RuleEnd.Continue => next,
            RuleEnd.Accept => Ends.Accept,
            RuleEnd.Drop => Ends.Drop,
            RuleEnd.Taken => Ends.Taken,
            RuleEnd.Return => outer,
            RuleEnd.Jump => Then(Target(rule) is { } target ? EndsOf(target, state)[0] : Ends.Through, next),
            _ => Then(Target(rule) is { } target ? EndsOf(target, state)[0] : Ends.Through, outer),
        };

        /// <summary>The ends after a chain that a packet may pass.</summary>
        private static Ends Then(Ends ends, Ends after) => ends.HasFlag(Ends.Through) ? (ends & ~Ends.Through) | after : ends;

        /// <summary>The possible ends from each rule of a chain on, and after its last.</summary>
        private Ends[] EndsOf(FirewallChain chain, PacketStates state)
        {
            if (_ends.TryGetValue((chain.Name, state), out Ends[]? known))
                return known;
            Ends[] ends = new Ends[chain.Rules.Count + 1];

            // The kernel allows no loop. If there is one anyway, everything is possible.
            _ends[(chain.Name, state)] = [.. Enumerable.Repeat(Ends.Accept | Ends.Drop | Ends.Taken | Ends.Through, ends.Length)];
            ends[^1] = Ends.Through;
            for (int i = chain.Rules.Count - 1; i >= 0; i--)
            {
                FirewallRule rule = chain.Rules[i];
                Answer answer = rule.Of(box, state);
                Ends met = answer == Answer.No ? Ends.None : EndsAt(rule, state, Ends.Through, ends[i + 1]);
                ends[i] = answer == Answer.Yes ? met : met | ends[i + 1];
            }

            return _ends[(chain.Name, state)] = ends;
        }
    }
}
