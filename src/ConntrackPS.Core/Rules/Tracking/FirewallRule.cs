using ConntrackPS.Conntrack;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules.Tracking;

/// <summary>The kinds of ends of a rule.</summary>
internal enum RuleEnd
{
    /// <summary>The next rule follows.</summary>
    Continue,
    Accept,
    Drop,

    /// <summary>Something else takes the packet, such as a program (queue).</summary>
    Taken,

    /// <summary>The chain ends, and the rule after the jump to it follows.</summary>
    Return,

    /// <summary>The rules of another chain follow, then the next rule.</summary>
    Jump,

    /// <summary>The rules of another chain follow, then those after the jump to this chain.</summary>
    Goto,
}

/// <summary>An effect of a rule beside its end.</summary>
internal enum RuleEffect
{
    None,

    /// <summary>The packet, or a set of addresses, is changed. Entries have no part in it.</summary>
    Changes,

    /// <summary>The connection gets something that is kept in its entry, or its entry is counted.</summary>
    UsesEntry,

    /// <summary>The connection is translated.</summary>
    Translates,
}

/// <summary>A translation of addresses or ports.</summary>
/// <param name="IsSource">True for the source, false for the destination.</param>
/// <param name="ChangesAddress">True if the address is changed, false if only the port is.</param>
/// <param name="Addresses">The new addresses. Null if they are unknown.</param>
/// <param name="Ports">The new ports. Null for none in particular.</param>
/// <param name="IsLocal">True if the new address is one of this machine.</param>
internal sealed record RuleTranslation(bool IsSource, bool ChangesAddress, ValueRanges? Addresses, ValueRanges? Ports, bool IsLocal = false);

/// <summary>A rule of nf_tables or iptables, in common terms: conditions, and an effect or an end. A rule of the kernel with several of
/// these is several rules here, each with the conditions before it.</summary>
/// <param name="Place">The place of the rule in the words of nft or iptables.</param>
/// <param name="Tests">The conditions. All must be met.</param>
/// <param name="End">The end of the rule.</param>
internal sealed record FirewallRule(string Place, IReadOnlyList<RuleTest> Tests, RuleEnd End)
{
    private bool? _dependsOnEntry;

    /// <summary>The chain of a jump.</summary>
    public string? Chain { get; init; }

    /// <summary>The effect.</summary>
    public RuleEffect Effect { get; init; }

    /// <summary>The effect as a phrase that follows the place, such as "translates the source (masquerade)". Empty for none.</summary>
    public string Words { get; init; } = "";

    /// <summary>The translation. Null for other effects.</summary>
    public RuleTranslation? Translation { get; init; }

    /// <summary>True if a condition depends on the packet's entry.</summary>
    public bool DependsOnEntry => _dependsOnEntry ??= Tests.Any(test => test.DependsOnEntry);

    /// <summary>The certainty that packets meet all conditions.</summary>
    public Answer Of(PacketBox box, PacketStates state) => AnyTest.All(Tests, box, state);

    /// <summary>The certainty that packets meet the conditions that depend on their entries.</summary>
    public Answer OfEntry(PacketBox box, PacketStates state) => Tests.Min(test => test.OfEntry(box, state));

    /// <summary>The packets of the replies of connections that the rule translates, as they arrive. Null if there are none of the
    /// family.</summary>
    /// <param name="family">The family.</param>
    /// <param name="local">The addresses of this machine, or null if they are unknown.</param>
    public PacketBox? Replies(IPFamily family, LocalAddresses? local)
    {
        PacketBox? first = PacketBox.All(family);
        foreach (RuleTest test in Tests)
        {
            first = test switch
            {
                PartTest part => first?.With(part.Part, part.Values),
                FamilyTest => first is not null && test.Of(first, PacketStates.New) == Answer.No ? null : first,
                NeverTest => null,

                // Packets between addresses of this machine use the loopback interface.
                InterfaceTest { IsLoopback: false, IsNegated: false } other when local is not null =>
                    first?.With(other.IsInput ? PacketPart.Source : PacketPart.Destination, local.Own.Complement()),
                _ => first,
            };
        }

        if (first is null || Translation is not { } translation)
            return null;
        ValueRanges all = ValueRanges.All(PacketBox.LengthOf(family)), allPorts = ValueRanges.All(sizeof(ushort));
        ValueRanges? known = translation.IsLocal ? Masks(local) : translation.Addresses;
        ValueRanges addresses = known?.Length == all.Length ? known : all;
        PacketBox replies = new(family, first.Protocols, first.Destinations, first.Sources, first.DestinationPorts, first.SourcePorts);
        if (translation.IsSource)
        {
            // Another source port is chosen if the connection's own is in use.
            return replies with { Destinations = translation.ChangesAddress ? addresses : first.Sources, DestinationPorts = translation.Ports ?? allPorts };
        }

        return replies with { Sources = translation.ChangesAddress ? addresses : first.Destinations, SourcePorts = translation.Ports ?? first.DestinationPorts };
    }

    /// <summary>The addresses that the rule may put in. masquerade takes one of the interface by which packets leave, if that has an IPv4
    /// address (inet_select_addr).</summary>
    private ValueRanges? Masks(LocalAddresses? local)
    {
        string? name = Translation!.IsSource ? Tests.OfType<InterfaceTest>().FirstOrDefault(test => test is { IsInput: false, IsNegated: false })?.Name : null;
        return name is not null && local?.OfInterface.GetValueOrDefault(name) is { IsEmpty: false } addresses ? addresses : local?.Own;
    }
}

/// <summary>A chain.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rules">Its rules.</param>
internal sealed record FirewallChain(string Name, IReadOnlyList<FirewallRule> Rules)
{
    /// <summary>The hook of a base chain. Null for a chain that only other chains use.</summary>
    public Hook? Hook { get; init; }

    /// <summary>True if only the first packet of a connection passes, and no untracked packet (type nat).</summary>
    public bool IsNat { get; init; }

    /// <summary>The end for packets that reach the end of a base chain.</summary>
    public RuleEnd Policy { get; init; } = RuleEnd.Accept;
}

/// <summary>A table of nf_tables or iptables.</summary>
/// <param name="Families">The families of its packets.</param>
/// <param name="Chains">The chains by name.</param>
internal sealed record FirewallTable(IReadOnlyList<IPFamily> Families, IReadOnlyDictionary<string, FirewallChain> Chains);
