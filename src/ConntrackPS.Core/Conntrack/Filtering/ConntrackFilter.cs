using System.Runtime.CompilerServices;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Selects entries. An entry matches if all properties that are set match. A property with several values matches if any value
/// does.</summary>
/// <remarks>The same filter works for reading, deleting, changing, counting and watching.</remarks>
public sealed record ConntrackFilter
{
    private static readonly HashSet<string> Unsteady =
    [
        nameof(State), nameof(Status), nameof(ExcludeStatus), nameof(Unreplied), nameof(Mark), nameof(Label), nameof(Helper), nameof(SecurityContext),
        nameof(MinimumBytes), nameof(MinimumPackets), nameof(TimeoutBelow), nameof(TimeoutAbove), nameof(OlderThan), nameof(Conditions),
    ];

    /// <summary>The unsteady properties that change without an event from the kernel.</summary>
    private static readonly HashSet<string> Amounts =
        [nameof(MinimumBytes), nameof(MinimumPackets), nameof(TimeoutBelow), nameof(TimeoutAbove), nameof(OlderThan)];

    // A copy by "with" copies this field too. The compiled terms count only for the filter that they were made for.
    private CompiledTerms? _compiled;

    /// <summary>The source address of the first packet.</summary>
    public IReadOnlyList<AddressPrefix> SourceAddress { get; init; } = [];

    /// <summary>The destination address of the first packet, before translation.</summary>
    public IReadOnlyList<AddressPrefix> DestinationAddress { get; init; } = [];

    /// <summary>The source address of replies.</summary>
    public IReadOnlyList<AddressPrefix> ReplySourceAddress { get; init; } = [];

    /// <summary>The destination address of replies.</summary>
    public IReadOnlyList<AddressPrefix> ReplyDestinationAddress { get; init; } = [];

    /// <summary>Any of the four addresses.</summary>
    public IReadOnlyList<AddressPrefix> Address { get; init; } = [];

    /// <summary>The address that replaces the source. Matches only entries with a translated source.</summary>
    public IReadOnlyList<AddressPrefix> TranslatedSourceAddress { get; init; } = [];

    /// <summary>The address that replaces the destination. Matches only entries with a translated destination.</summary>
    public IReadOnlyList<AddressPrefix> TranslatedDestinationAddress { get; init; } = [];

    /// <summary>The address that replaces the source or the destination. Matches only where that address is translated.</summary>
    public IReadOnlyList<AddressPrefix> TranslatedAddress { get; init; } = [];

    /// <summary>The source port of the first packet, for protocols with ports.</summary>
    public IReadOnlyList<PortRange> SourcePort { get; init; } = [];

    /// <summary>The destination port of the first packet, before translation.</summary>
    public IReadOnlyList<PortRange> DestinationPort { get; init; } = [];

    /// <summary>The source port of replies.</summary>
    public IReadOnlyList<PortRange> ReplySourcePort { get; init; } = [];

    /// <summary>The destination port of replies.</summary>
    public IReadOnlyList<PortRange> ReplyDestinationPort { get; init; } = [];

    /// <summary>The port that replaces the source port. Matches only entries with a translated source.</summary>
    public IReadOnlyList<PortRange> TranslatedSourcePort { get; init; } = [];

    /// <summary>The port that replaces the destination port. Matches only entries with a translated destination.</summary>
    public IReadOnlyList<PortRange> TranslatedDestinationPort { get; init; } = [];

    /// <summary>The port that replaces the source or the destination port. Matches only where that end is translated.</summary>
    public IReadOnlyList<PortRange> TranslatedPort { get; init; } = [];

    /// <summary>Any of the four ports.</summary>
    public IReadOnlyList<PortRange> Port { get; init; } = [];

    /// <summary>The layer 4 protocol.</summary>
    public IReadOnlyList<IPProtocol> Protocol { get; init; } = [];

    /// <summary>The state of a TCP, SCTP or DCCP connection.</summary>
    public IReadOnlyList<ConntrackState> State { get; init; } = [];

    /// <summary>Status bits that must all be set. Null for no condition.</summary>
    public ConntrackStatus? Status { get; init; }

    /// <summary>Status bits that must all be clear. Null for no condition.</summary>
    public ConntrackStatus? ExcludeStatus { get; init; }

    /// <summary>No reply has been seen.</summary>
    public bool Unreplied { get; init; }

    /// <summary>The source is translated: the status bit is set, or replies go to an address or port other than the source.</summary>
    public bool SourceNat { get; init; }

    /// <summary>The destination is translated: the status bit is set, or replies come from another address or port.</summary>
    public bool DestinationNat { get; init; }

    /// <summary>The source or the destination is translated, or both are.</summary>
    public bool AnyNat { get; init; }

    /// <summary>The connection mark.</summary>
    public IReadOnlyList<MaskedMark> Mark { get; init; } = [];

    /// <summary>Labels by bit (0 to 127). Any of them must be set.</summary>
    public IReadOnlyList<int> Label { get; init; } = [];

    /// <summary>The helper's name.</summary>
    public IReadOnlyList<string> Helper { get; init; } = [];

    /// <summary>The security context.</summary>
    public IReadOnlyList<string> SecurityContext { get; init; } = [];

    /// <summary>The ICMP or ICMPv6 type of the first packet.</summary>
    public IReadOnlyList<byte> IcmpType { get; init; } = [];

    /// <summary>The ICMP or ICMPv6 code of the first packet.</summary>
    public IReadOnlyList<byte> IcmpCode { get; init; } = [];

    /// <summary>The ICMP or ICMPv6 identifier of the first packet.</summary>
    public IReadOnlyList<ushort> IcmpId { get; init; } = [];

    /// <summary>The GRE key of the source.</summary>
    public IReadOnlyList<ushort> GreSourceKey { get; init; } = [];

    /// <summary>The GRE key of the destination.</summary>
    public IReadOnlyList<ushort> GreDestinationKey { get; init; } = [];

    /// <summary>The minimum of bytes in both directions together. Entries without counters don't match.</summary>
    public ulong? MinimumBytes { get; init; }

    /// <summary>The minimum of packets in both directions together. Entries without counters don't match.</summary>
    public ulong? MinimumPackets { get; init; }

    /// <summary>The remaining timeout is less than this number of seconds.</summary>
    public uint? TimeoutBelow { get; init; }

    /// <summary>The remaining timeout is more than this number of seconds.</summary>
    public uint? TimeoutAbove { get; init; }

    /// <summary>The connection started longer ago than this. Entries without a start time don't match.</summary>
    public TimeSpan? OlderThan { get; init; }

    /// <summary>The zone, for both directions or for one.</summary>
    public IReadOnlyList<ushort> Zone { get; init; } = [];

    /// <summary>The zone of only the original direction (CTA_TUPLE_ZONE of CTA_TUPLE_ORIG), 1 to 65535. Entries with a zone for both
    /// directions don't match.</summary>
    public IReadOnlyList<ushort> OriginalZone { get; init; } = [];

    /// <summary>The zone of only the reply direction (CTA_TUPLE_ZONE of CTA_TUPLE_REPLY), 1 to 65535. Entries with a zone for both
    /// directions don't match.</summary>
    public IReadOnlyList<ushort> ReplyZone { get; init; } = [];

    /// <summary>The address family.</summary>
    public IPFamily AddressFamily { get; init; }

    /// <summary>The kernel's id of the entry.</summary>
    public IReadOnlyList<uint> Id { get; init; } = [];

    /// <summary>Excludes entries that match any of these filters. Exclusions alone do not name entries, so nothing can be deleted with them
    /// alone. They are always checked here, never by the kernel.</summary>
    public IReadOnlyList<ConntrackFilter> Exclude { get; init; } = [];

    /// <summary>The reason why no entry can ever match, or null. Such a filter is not an error here: it matches nothing.</summary>
    public FilterContradiction? Contradiction => ContradictionFinder.Find(this);

    /// <summary>True if the filter has no condition: every entry matches.</summary>
    public bool IsEmpty => Terms.Length == 0;

    /// <summary>True if the filter names entries. Only such a filter may be used to delete.</summary>
    public bool NamesEntries => Terms.Any(term => !term.IsTrivial);

    /// <summary>True if a matching entry has always matched, and will match for its whole lifetime.</summary>
    internal bool IsSteady => !AsksFor(Unsteady);

    /// <summary>Conditions that no property can express. They are always checked here, never by the kernel.</summary>
    internal IReadOnlyList<FilterTerm> Conditions { get; init; } = [];

    internal FilterTerm[] Terms
    {
        get
        {
            if (_compiled is not { } compiled || !ReferenceEquals(compiled.Of, this))
                _compiled = compiled = new CompiledTerms(this, [.. FilterCompiler.Compile(this)]);
            return compiled.Terms;
        }
    }

    /// <summary>Filters are compared by reference. Two filters with equal lists are different.</summary>
    public bool Equals(ConntrackFilter? other) => ReferenceEquals(this, other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);

    /// <summary>True if the entry matches at the time of the call.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        foreach (FilterTerm term in Terms)
        {
            if (!term.Matches(entry))
                return false;
        }

        return true;
    }

    /// <summary>True if the entry matches at the given time. A pass over many entries uses the same time for all.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="now">The time, from <see cref="FilterTerm.Now"/>.</param>
    internal bool Matches(ConntrackEntry entry, ulong now)
    {
        foreach (FilterTerm term in Terms)
        {
            if (term.MatchesAt is { } matchesAt ? !matchesAt(entry, now) : !term.Matches(entry))
                return false;
        }

        return true;
    }

    /// <summary>The filter in words.</summary>
    public override string ToString() =>
        IsEmpty ? "every entry" : "entries with " + string.Join(" and ", Terms.Select(term => term.Description));

    /// <summary>The filter without all conditions whose result may change during the lifetime of an entry. It matches the same entries or
    /// more. Comparisons over time use it; otherwise an entry that changes would look like one that ends or starts.</summary>
    internal ConntrackFilter SteadyPart() => Without(Unsteady);

    /// <summary>The filter without the conditions that change without an event. An entry that starts to match it has had an
    /// event.</summary>
    internal ConntrackFilter WithoutAmounts() => Without(Amounts);

    /// <summary>The filter with IPv4 addresses in place of IPv4-mapped addresses.</summary>
    internal ConntrackFilter Unmapped() => TupleProperties.Addresses.Aggregate(
        this, (filter, property) => property.IsAsked(filter) ? property.Set(filter, [.. property.Of(filter).Select(prefix => prefix.Unmapped)]) : filter);

    private bool AsksFor(HashSet<string> properties) =>
        Terms.Any(term => properties.Contains(term.Property)) || Exclude.Any(filter => filter.AsksFor(properties));

    private ConntrackFilter Without(HashSet<string> properties) => !AsksFor(properties) ? this : this with
    {
        State = properties.Contains(nameof(State)) ? [] : State,
        Status = properties.Contains(nameof(Status)) ? null : Status,
        ExcludeStatus = properties.Contains(nameof(ExcludeStatus)) ? null : ExcludeStatus,
        Unreplied = !properties.Contains(nameof(Unreplied)) && Unreplied,
        Mark = properties.Contains(nameof(Mark)) ? [] : Mark,
        Label = properties.Contains(nameof(Label)) ? [] : Label,
        Helper = properties.Contains(nameof(Helper)) ? [] : Helper,
        SecurityContext = properties.Contains(nameof(SecurityContext)) ? [] : SecurityContext,
        MinimumBytes = properties.Contains(nameof(MinimumBytes)) ? null : MinimumBytes,
        MinimumPackets = properties.Contains(nameof(MinimumPackets)) ? null : MinimumPackets,
        TimeoutBelow = properties.Contains(nameof(TimeoutBelow)) ? null : TimeoutBelow,
        TimeoutAbove = properties.Contains(nameof(TimeoutAbove)) ? null : TimeoutAbove,
        OlderThan = properties.Contains(nameof(OlderThan)) ? null : OlderThan,
        Conditions = [.. Conditions.Where(condition => !properties.Contains(condition.Property))],
        Exclude = [.. Exclude.Where(filter => !filter.AsksFor(properties))],
    };

    private sealed class CompiledTerms(ConntrackFilter of, FilterTerm[] terms)
    {
        public ConntrackFilter Of { get; } = of;

        public FilterTerm[] Terms { get; } = terms;
    }
}
