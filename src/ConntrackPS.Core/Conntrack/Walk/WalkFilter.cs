using System.Buffers.Binary;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>The part of a filter that the walk's program checks, and the parts of an entry that the rest needs.</summary>
/// <remarks>Every condition here is necessary for a match. Entries that pass are checked against the whole filter again, so that a condition
/// that is missing here costs only time.</remarks>
internal sealed class WalkFilter
{
    /// <summary>More comparisons than this are not worth their time for each entry, and the rest of the filter is checked later.</summary>
    private const int MostComparisons = 1024;

    private readonly List<WalkCondition> _conditions = [];
    private readonly WalkEnvironment _environment;

    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="environment">The kernel's timer frequency, and the protocols that have ports.</param>
    public WalkFilter(ConntrackFilter? filter, WalkEnvironment environment)
    {
        _environment = environment;
        if (filter is null)
            return;
        Needs = PartsOf(filter);
        _conditions.AddRange(ConditionsOf(filter));
        OlderThan = filter.OlderThan;
        foreach (ConntrackFilter excluded in filter.Exclude)
        {
            // Only what certainly matches all of an excluded filter may be left out.
            if (IsExact(excluded))
                _conditions.Add(new NotOf(new AllOf([.. ConditionsOf(excluded)])));
        }

        for (int length = 0, i = 0; i < _conditions.Count; i++)
        {
            length += _conditions[i].Length;
            if (length <= MostComparisons)
                continue;
            length -= _conditions[i].Length;
            _conditions.RemoveAt(i--);
        }
    }

    /// <summary>The parts that the whole filter looks at.</summary>
    public EntryParts Needs { get; }

    /// <summary>The age that <see cref="BeganBefore"/> compares with, if any.</summary>
    public TimeSpan? OlderThan { get; }

    /// <summary>True if the program leaves entries out.</summary>
    public bool IsSelective => _conditions.Count > 0;

    /// <summary>The conditions on what is always read. They are checked before anything else is read.</summary>
    public WalkCondition? Early => Join(condition => condition.Parts == EntryParts.None);

    /// <summary>The other conditions.</summary>
    public WalkCondition? Late => Join(condition => condition.Parts != EntryParts.None);

    /// <summary>The condition on the age, with the place of its time.</summary>
    private static BeganBefore IsOld => new(WalkProgram.LoadAgeLimit);

    private AllOf? Join(Func<WalkCondition, bool> which) => _conditions.Where(which).ToArray() is { Length: > 0 } some ? new AllOf(some) : null;

    /// <summary>The parts that a filter's conditions read, by the name of the property.</summary>
    public static EntryParts PartsOf(ConntrackFilter filter)
    {
        EntryParts parts = EntryParts.None;
        foreach (FilterTerm term in filter.Terms)
        {
            parts |= term.Property switch
            {
                nameof(filter.MinimumBytes) or nameof(filter.MinimumPackets) => EntryParts.Counters,
                nameof(filter.OlderThan) => EntryParts.StartTime,
                nameof(filter.Label) => EntryParts.Labels,
                nameof(filter.Helper) => EntryParts.Helper,
                nameof(filter.Id) => EntryParts.Id,
                nameof(filter.Exclude) => EntryParts.None,
                nameof(filter.AddressFamily) or nameof(filter.Protocol) or nameof(filter.Zone) or nameof(filter.OriginalZone) or nameof(filter.ReplyZone)
                    or nameof(filter.SourceNat) or nameof(filter.DestinationNat) or nameof(filter.AnyNat) or nameof(filter.State) or nameof(filter.Status)
                    or nameof(filter.ExcludeStatus) or nameof(filter.Unreplied) or nameof(filter.Mark) or nameof(filter.TimeoutBelow)
                    or nameof(filter.TimeoutAbove) => EntryParts.None,
                var name => TupleProperties.TryFind(name, out _) ? EntryParts.None : EntryParts.All,
            };
        }

        return filter.Exclude.Aggregate(parts, (all, excluded) => all | PartsOf(excluded));
    }

    /// <summary>True if <see cref="ConditionsOf"/> has all of the filter.</summary>
    private static bool IsExact(ConntrackFilter filter) =>
        filter is { Helper.Count: 0, SecurityContext.Count: 0, Id.Count: 0, OlderThan: null, Conditions.Count: 0, Exclude.Count: 0 };

    private IEnumerable<WalkCondition> ConditionsOf(ConntrackFilter filter) => ((IEnumerable<WalkCondition?>)
    [
        filter.AddressFamily == IPFamily.Unspecified ? null : FamilyIs(filter.AddressFamily),
        Any(filter.Protocol, ProtocolIs),
        .. TupleProperties.All.Select(property => OfTuple(property, filter)),
        Any(filter.Zone, zone => Number(WalkRecord.ZoneId, sizeof(ushort), zone)),
        Any(filter.OriginalZone, zone => ZoneOf(zone, WalkRecord.OfOriginal)),
        Any(filter.ReplyZone, zone => ZoneOf(zone, WalkRecord.OfReply)),
        filter.SourceNat ? SourceIsTranslated : null,
        filter.DestinationNat ? DestinationIsTranslated : null,
        filter.AnyNat ? new AnyOf([SourceIsTranslated, DestinationIsTranslated]) : null,
        filter.State.Count == 0 ? null : new AllOf([IsTimed, new AnyOf([.. filter.State.SelectMany(StateIs)])]),
        filter.Status is { } set ? StatusIs(set, set) : null,
        filter.ExcludeStatus is { } clear ? StatusIs(clear, ConntrackStatus.None) : null,
        filter.Unreplied ? StatusIs(ConntrackStatus.SeenReply, ConntrackStatus.None) : null,
        Any(filter.Mark, mark => new MaskedEqual(WalkRecord.Mark, sizeof(uint), mark.Mask, mark.Value)),
        Any(filter.Label, label => new AllOf([new HasPart(EntryParts.Labels), new MaskedEqual(WalkRecord.Labels + label / 8, 1, 1UL << label % 8, 1UL << label % 8)])),
        AtLeast(filter.MinimumBytes, WalkRecord.OriginalBytes, WalkRecord.ReplyBytes),
        AtLeast(filter.MinimumPackets, WalkRecord.OriginalPackets, WalkRecord.ReplyPackets),
        filter.TimeoutBelow is { } below ? Timed(0, (ulong)below * _environment.TicksPerSecond) : null,
        filter.TimeoutAbove is { } above ? Timed(((ulong)above + 1) * _environment.TicksPerSecond, ulong.MaxValue) : null,
        filter.OlderThan is null ? null : new AllOf([new HasPart(EntryParts.StartTime), IsOld]),
    ]).OfType<WalkCondition>();

    private static AnyOf? Any<T>(IReadOnlyList<T> values, Func<T, WalkCondition> condition) => values.Count == 0 ? null : new AnyOf([.. values.Select(condition)]);

    private static MaskedEqual Number(int offset, int size, ulong value) => new(offset, size, ulong.MaxValue, value);

    private static MaskedEqual FamilyIs(IPFamily family) => Number(WalkRecord.Original + WalkTuple.Family, sizeof(ushort), (ulong)family);

    private static MaskedEqual ProtocolIs(IPProtocol protocol) => Number(WalkRecord.Original + WalkTuple.Protocol, sizeof(byte), (ulong)protocol);

    private static AllOf ZoneOf(ushort zone, int direction) =>
        new([Number(WalkRecord.ZoneId, sizeof(ushort), zone), Number(WalkRecord.ZoneDirection, sizeof(byte), (ulong)direction)]);

    private static MaskedEqual StatusIs(ConntrackStatus mask, ConntrackStatus value) => new(WalkRecord.Status, sizeof(uint), (ulong)mask, (ulong)value);

    /// <summary>Netlink sends no state and no timeout of a flow that a flow table forwards.</summary>
    private static MaskedEqual IsTimed => StatusIs(ConntrackStatus.Offload, ConntrackStatus.None);

    private static WalkCondition Timed(ulong least, ulong above) => least > uint.MaxValue || above == 0
        ? new AnyOf([])
        : new AllOf([IsTimed, new InRange(WalkRecord.Timeout, sizeof(uint), least, Math.Min(above - 1, uint.MaxValue))]);

    private static IEnumerable<WalkCondition> StateIs(ConntrackState state)
    {
        foreach (IPProtocol protocol in (IPProtocol[])[IPProtocol.Tcp, IPProtocol.Sctp, IPProtocol.Dccp])
        {
            if (ConntrackStates.ToKernel(protocol, state) is { } number)
                yield return new AllOf([ProtocolIs(protocol), Number(WalkRecord.State, sizeof(byte), number)]);
        }
    }

    private static AllOf? AtLeast(ulong? least, int original, int reply) =>
        least is not { } number ? null : new AllOf([new HasPart(EntryParts.Counters), new SumAtLeast(original, reply, number)]);

    private WalkCondition? OfTuple(TupleProperty property, ConntrackFilter filter)
    {
        if (!property.IsAsked(filter))
            return null;
        List<WalkCondition> places = [];
        foreach (TuplePlace place in TuplePlace.Each(property.Places))
        {
            WalkCondition values = property is AddressProperty addresses
                ? new AnyOf([.. addresses.Of(filter).Select(prefix => IsWithin(place, prefix))])
                : new AnyOf([.. property.ToNumbers(filter)!.Select(range => IsWithin(place, range))]);
            places.Add(!property.IsTranslated ? values : new AllOf([place.IsSource ? DestinationIsTranslated : SourceIsTranslated, values]));
        }

        return property.Protocols.Count == 0
            ? new AnyOf(places)
            : new AllOf([new AnyOf([.. property.Protocols.Where(_environment.Layout.HasPorts).Select(ProtocolIs)]), new AnyOf(places)]);
    }

    private static int TupleOf(TuplePlace place) => place.Direction == TupleDirection.Original ? WalkRecord.Original : WalkRecord.Reply;

    private static InRange IsWithin(TuplePlace place, PortRange range) =>
        new(TupleOf(place) + (place.IsSource ? WalkTuple.SourcePort : WalkTuple.DestinationPort), sizeof(ushort), range.First, range.Last, IsNetworkOrder: true);

    private static AllOf IsWithin(TuplePlace place, AddressPrefix prefix)
    {
        int offset = TupleOf(place) + (place.IsSource ? WalkTuple.SourceAddress : WalkTuple.DestinationAddress);
        Span<byte> value = stackalloc byte[16], mask = stackalloc byte[16];
        int length = prefix.Address.CopyTo(prefix.Family, value);
        prefix.Mask.CopyTo(prefix.Family, mask);
        List<WalkCondition> conditions = [FamilyIs(prefix.Family)];
        int size = Math.Min(length, sizeof(ulong));
        for (int i = 0; i < length; i += size)
        {
            ulong bits = WordAt(mask[i..], size);
            if (bits != 0)
                conditions.Add(new MaskedEqual(offset + i, size, bits, WordAt(value[i..], size)));
        }

        return new AllOf(conditions);

        static ulong WordAt(ReadOnlySpan<byte> bytes, int size) =>
            size == sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>As <see cref="Translation.OfSource"/>.</summary>
    private static AnyOf SourceIsTranslated => new(
    [
        StatusIs(ConntrackStatus.SrcNat, ConntrackStatus.SrcNat),
        AddressDiffers(WalkTuple.SourceAddress, WalkTuple.DestinationAddress),
        new AllOf([IsIcmp, PortDiffers(WalkTuple.SourcePort, WalkTuple.SourcePort)]),
        new AllOf([new NotOf(IsIcmp), PortDiffers(WalkTuple.SourcePort, WalkTuple.DestinationPort)]),
    ]);

    /// <summary>As <see cref="Translation.OfDestination"/>.</summary>
    private static AnyOf DestinationIsTranslated => new(
    [
        StatusIs(ConntrackStatus.DstNat, ConntrackStatus.DstNat),
        AddressDiffers(WalkTuple.DestinationAddress, WalkTuple.SourceAddress),
        new AllOf([new NotOf(IsIcmp), PortDiffers(WalkTuple.DestinationPort, WalkTuple.SourcePort)]),
    ]);

    private static AnyOf IsIcmp => new([.. TupleProperties.Icmp.Select(ProtocolIs)]);

    private static AnyOf AddressDiffers(int original, int reply) => new(
    [
        new Differ(WalkRecord.Original + original, WalkRecord.Reply + reply, sizeof(ulong)),
        new Differ(WalkRecord.Original + original + sizeof(ulong), WalkRecord.Reply + reply + sizeof(ulong), sizeof(ulong)),
    ]);

    private static Differ PortDiffers(int original, int reply) => new(WalkRecord.Original + original, WalkRecord.Reply + reply, sizeof(ushort));
}
