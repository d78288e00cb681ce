using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules.Tracking;

/// <summary>The parts of a packet that a box and the condition of a rule can have in common.</summary>
internal enum PacketPart
{
    Protocol,
    Source,
    Destination,
    SourcePort,
    DestinationPort,
}

/// <summary>All packets of one family with a protocol, addresses and ports out of given values.</summary>
/// <param name="Family">The family.</param>
/// <param name="Protocols">The layer 4 protocols.</param>
/// <param name="Sources">The source addresses.</param>
/// <param name="Destinations">The destination addresses.</param>
/// <param name="SourcePorts">The source ports. All if there is no condition, also of protocols without ports.</param>
/// <param name="DestinationPorts">The destination ports, as above.</param>
internal sealed record PacketBox(
    IPFamily Family, ValueRanges Protocols, ValueRanges Sources, ValueRanges Destinations, ValueRanges SourcePorts, ValueRanges DestinationPorts)
{
    private static readonly ValueRanges AllProtocols = ValueRanges.All(sizeof(byte));
    private static readonly ValueRanges AllPorts = ValueRanges.All(sizeof(ushort));
    private static readonly ValueRanges ProtocolsWithPorts = ValueRanges.Of(TupleProperties.WithPorts);

    /// <summary>True if the packets may be the first of a connection. False for replies from given ports, because clients do not begin
    /// connections from the ports of servers.</summary>
    public bool MayBegin { get; init; } = true;

    /// <summary>True if every source port is in the box.</summary>
    public bool HasAnySourcePort => SourcePorts.Equals(AllPorts);

    /// <summary>The certainty that the packets arrive by the loopback interface.</summary>
    public Answer FromLoopback { get; init; } = Answer.Maybe;

    /// <summary>The certainty that the packets leave by the loopback interface.</summary>
    public Answer ToLoopback { get; init; } = Answer.Maybe;

    /// <summary>All packets of a family.</summary>
    public static PacketBox All(IPFamily family)
    {
        ValueRanges addresses = ValueRanges.All(LengthOf(family));
        return new PacketBox(family, AllProtocols, addresses, addresses, AllPorts, AllPorts);
    }

    /// <summary>The packets of one alternative of a <see cref="PacketSelector"/>, one box for each family.</summary>
    public static IEnumerable<PacketBox> Of(IReadOnlyList<PacketCondition> conditions) =>
        from family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6]
        where conditions.OfType<FamilyCondition>().All(condition => condition.Family == family)
        let box = conditions.OfType<ValueCondition>().Aggregate((PacketBox?)All(family), (box, condition) => box?.With(PartOf(condition.Field), condition.Values))
        where box is not null
        select box;

    /// <summary>The length of an address in bytes.</summary>
    public static int LengthOf(IPFamily family) => family == IPFamily.IPv6 ? 16 : 4;

    /// <summary>True if all packets of the box have ports.</summary>
    public bool HasPorts => ProtocolsWithPorts.Contains(Protocols);

    /// <summary>The values of a part.</summary>
    public ValueRanges Of(PacketPart part) => part switch
    {
        PacketPart.Protocol => Protocols,
        PacketPart.Source => Sources,
        PacketPart.Destination => Destinations,
        PacketPart.SourcePort => SourcePorts,
        _ => DestinationPorts,
    };

    /// <summary>The packets of the box whose part is one of the values. Null if there are none.</summary>
    public PacketBox? With(PacketPart part, ValueRanges values)
    {
        if (values.Length != Of(part).Length)
            return null;
        ValueRanges both = Of(part).Intersect(values);
        if (both.IsEmpty)
            return null;
        return part switch
        {
            PacketPart.Protocol => this with { Protocols = both },
            PacketPart.Source => this with { Sources = both },
            PacketPart.Destination => this with { Destinations = both },
            PacketPart.SourcePort => this with { SourcePorts = both },
            _ => this with { DestinationPorts = both },
        };
    }

    /// <summary>The packets of the box that may pass a hook, in boxes that differ by the use of the loopback interface. The addresses of
    /// this machine decide: packets to them are delivered, packets from them are sent, and both use the loopback interface.</summary>
    /// <param name="hook">The hook.</param>
    /// <param name="local">The addresses of this machine, or null if they are unknown.</param>
    public IEnumerable<PacketBox> At(Hook hook, LocalAddresses? local)
    {
        if (local is null)
            return [this];
        ValueRanges others = local.Own.Complement();
        IEnumerable<PacketBox?> arriving =
        [
            With(PacketPart.Source, local.Own) is { } sent ? sent with { FromLoopback = Answer.Yes } : null,
            With(PacketPart.Source, others) is { } received ? received with { FromLoopback = Answer.No } : null,
        ];
        IEnumerable<PacketBox?> leaving =
        [
            With(PacketPart.Destination, local.Own) is { } looped ? looped with { ToLoopback = Answer.Yes } : null,
            With(PacketPart.Destination, local.Delivered.Intersect(others)),
            With(PacketPart.Destination, local.Delivered.Complement()) is { } leaves ? leaves with { ToLoopback = Answer.No } : null,
        ];
        return (hook switch
        {
            Hook.PreRouting => arriving,
            Hook.LocalIn => arriving.Select(box => box?.With(PacketPart.Destination, local.Delivered)),
            Hook.Forward => [With(PacketPart.Source, others)?.With(PacketPart.Destination, others) is { } passing ? passing with { FromLoopback = Answer.No, ToLoopback = Answer.No } : null],
            Hook.LocalOut => leaving.Select(box => box?.With(PacketPart.Source, local.Own)),
            Hook.PostRouting => leaving,
            _ => [],
        }).OfType<PacketBox>();
    }

    /// <summary>True if a packet may be in both boxes.</summary>
    public bool Overlaps(PacketBox other) =>
        Family == other.Family && Enum.GetValues<PacketPart>().All(part => !Of(part).Intersect(other.Of(part)).IsEmpty);

    /// <summary>True if a packet of an entry is in the box: one with the addresses and ports of a tuple.</summary>
    public bool Contains(in ConntrackTuple tuple) =>
        tuple.Family == Family
        && Protocols.Contains((byte)tuple.Protocol)
        && Sources.Contains(Number(tuple.Source))
        && Destinations.Contains(Number(tuple.Destination))
        && (!tuple.HasPorts || (SourcePorts.Contains(tuple.SourcePort) && DestinationPorts.Contains(tuple.DestinationPort)));

    private static UInt128 Number(AddressBits bits) => new(bits.High, bits.Low);

    private static PacketPart PartOf(PacketField field) => field switch
    {
        ProtocolField => PacketPart.Protocol,
        HeaderField { Header: PayloadBase.TransportHeader, Offset: 0 } => PacketPart.SourcePort,
        HeaderField { Header: PayloadBase.TransportHeader } => PacketPart.DestinationPort,
        HeaderField { Offset: 8 or 12 } => PacketPart.Source,
        _ => PacketPart.Destination,
    };
}

/// <summary>The certainty that a packet of a box meets a condition.</summary>
internal enum Answer
{
    /// <summary>No packet meets it.</summary>
    No,

    /// <summary>Some may, or it is unknown.</summary>
    Maybe,

    /// <summary>Every packet meets it.</summary>
    Yes,
}

/// <summary>One condition of a rule.</summary>
internal abstract record RuleTest
{
    /// <summary>True if the result may depend on the packet's entry.</summary>
    public virtual bool DependsOnEntry => false;

    /// <summary>The words of nft or iptables for a condition on the entry. Null for others.</summary>
    public virtual string? OnEntry => null;

    /// <summary>The result for the packets of a box in one state of connection tracking.</summary>
    public abstract Answer Of(PacketBox box, PacketStates state);

    /// <summary>The result with the assumption that all that does not depend on the entry is met.</summary>
    public virtual Answer OfEntry(PacketBox box, PacketStates state) => DependsOnEntry ? Of(box, state) : Answer.Yes;
}

/// <summary>A part of the packet has one of several values.</summary>
internal sealed record PartTest(PacketPart Part, ValueRanges Values) : RuleTest
{
    public override Answer Of(PacketBox box, PacketStates state)
    {
        if (box.With(Part, Values) is null)
            return Answer.No;
        bool isThere = Part is not (PacketPart.SourcePort or PacketPart.DestinationPort) || box.HasPorts;
        return isThere && Values.Contains(box.Of(Part)) ? Answer.Yes : Answer.Maybe;
    }
}

/// <summary>The packet is of a family, or not.</summary>
internal sealed record FamilyTest(IPFamily Family, bool IsNegated) : RuleTest
{
    public override Answer Of(PacketBox box, PacketStates state) => box.Family == Family != IsNegated ? Answer.Yes : Answer.No;
}

/// <summary>The packet arrives or leaves by the loopback interface, or by another.</summary>
/// <param name="IsInput">True for the interface that it arrives by.</param>
/// <param name="IsLoopback">True for the loopback interface, false for one other interface.</param>
/// <param name="IsNegated">True for the opposite.</param>
/// <param name="Name">The name of the interface. Null if the rule has only its index.</param>
internal sealed record InterfaceTest(bool IsInput, bool IsLoopback, bool IsNegated, string? Name = null) : RuleTest
{
    public override Answer Of(PacketBox box, PacketStates state)
    {
        Answer loopback = IsInput ? box.FromLoopback : box.ToLoopback;
        Answer answer = IsLoopback ? loopback : loopback == Answer.Yes ? Answer.No : Answer.Maybe;
        return IsNegated ? Answer.Yes - (int)answer : answer;
    }
}

/// <summary>A condition that no code here knows, or that packets of the same box may meet or not: an interface, a mark, a rate.</summary>
internal sealed record UnknownTest : RuleTest
{
    public override Answer Of(PacketBox box, PacketStates state) => Answer.Maybe;
}

/// <summary>A condition that no packet meets, such as an empty set.</summary>
internal sealed record NeverTest : RuleTest
{
    public override Answer Of(PacketBox box, PacketStates state) => Answer.No;
}

/// <summary>The packet is in one of several states.</summary>
internal sealed record StateTest(PacketStates Accepted) : RuleTest
{
    public override bool DependsOnEntry => true;

    public override string OnEntry => "ct state";

    public override Answer Of(PacketBox box, PacketStates state) => (Accepted & state) != 0 ? Answer.Yes : Answer.No;
}

/// <summary>A condition on something else of the entry.</summary>
/// <param name="What">Its words in nft or iptables.</param>
/// <param name="Tracked">The result for a packet that is tracked, and not translated.</param>
/// <param name="Untracked">The result for a packet that is not tracked.</param>
internal sealed record EntryTest(string What, Answer Tracked, Answer Untracked) : RuleTest
{
    public override bool DependsOnEntry => true;

    public override string OnEntry => What;

    public override Answer Of(PacketBox box, PacketStates state) => state == PacketStates.Untracked ? Untracked : Tracked;
}

/// <summary>All conditions of one of several alternatives are met: a lookup in a set with several fields.</summary>
internal sealed record AnyTest(IReadOnlyList<IReadOnlyList<RuleTest>> Alternatives) : RuleTest
{
    public override bool DependsOnEntry { get; } = Alternatives.Any(tests => tests.Any(test => test.DependsOnEntry));

    public override string? OnEntry => Alternatives.SelectMany(tests => tests).Select(test => test.OnEntry).FirstOrDefault(words => words is not null);

    public override Answer Of(PacketBox box, PacketStates state)
    {
        Answer best = Answer.No;
        foreach (IReadOnlyList<RuleTest> tests in Alternatives)
        {
            Answer answer = All(tests, box, state);
            if (answer > best)
                best = answer;
            if (best == Answer.Yes)
                break;
        }

        return best;
    }

    /// <summary>If alternatives have conditions of both kinds, the assumption could join those of different alternatives.</summary>
    public override Answer OfEntry(PacketBox box, PacketStates state) =>
        !DependsOnEntry ? Answer.Yes
        : Alternatives.All(tests => tests.All(test => test.DependsOnEntry)) ? Of(box, state)
        : Answer.Maybe;

    public static Answer All(IReadOnlyList<RuleTest> tests, PacketBox box, PacketStates state)
    {
        Answer all = Answer.Yes;
        for (int i = 0; i < tests.Count && all != Answer.No; i++)
        {
            Answer one = tests[i].Of(box, state);
            if (one < all)
                all = one;
        }

        return all;
    }
}
