using System.Runtime.CompilerServices;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Which entries are meant. Every property that is set must match; of several values in one, any may.</summary>
/// <remarks>The same filter serves reading, deleting, changing, counting and watching.</remarks>
public sealed record ConntrackFilter
{
    private static readonly HashSet<string> Unsteady =
    [
        nameof(State), nameof(Status), nameof(ExcludeStatus), nameof(Unreplied), nameof(Mark), nameof(Label), nameof(Helper), nameof(SecurityContext),
        nameof(MinimumBytes), nameof(MinimumPackets), nameof(TimeoutBelow), nameof(TimeoutAbove), nameof(OlderThan), nameof(Conditions),
    ];

    /// <summary>Those of them that change without an event of the kernel's.</summary>
    private static readonly HashSet<string> Amounts =
        [nameof(MinimumBytes), nameof(MinimumPackets), nameof(TimeoutBelow), nameof(TimeoutAbove), nameof(OlderThan)];

    // A copy made by "with" takes the field along: terms count only for the filter they were made of.
    private CompiledTerms? _compiled;

    /// <summary>Where the first packet came from.</summary>
    public IReadOnlyList<AddressPrefix> SourceAddress { get; init; } = [];

    /// <summary>Where the first packet was sent to, before translation.</summary>
    public IReadOnlyList<AddressPrefix> DestinationAddress { get; init; } = [];

    /// <summary>Where replies come from.</summary>
    public IReadOnlyList<AddressPrefix> ReplySourceAddress { get; init; } = [];

    /// <summary>Where replies go to.</summary>
    public IReadOnlyList<AddressPrefix> ReplyDestinationAddress { get; init; } = [];

    /// <summary>Any of the four addresses.</summary>
    public IReadOnlyList<AddressPrefix> Address { get; init; } = [];

    /// <summary>The address that replaces the source, on entries whose source is translated.</summary>
    public IReadOnlyList<AddressPrefix> TranslatedSourceAddress { get; init; } = [];

    /// <summary>The address that replaces the destination, on entries whose destination is translated.</summary>
    public IReadOnlyList<AddressPrefix> TranslatedDestinationAddress { get; init; } = [];

    /// <summary>The address that replaces the source or the destination, on entries where that one is translated.</summary>
    public IReadOnlyList<AddressPrefix> TranslatedAddress { get; init; } = [];

    /// <summary>The source port of the first packet; for protocols with ports.</summary>
    public IReadOnlyList<PortRange> SourcePort { get; init; } = [];

    /// <summary>The destination port of the first packet, before translation.</summary>
    public IReadOnlyList<PortRange> DestinationPort { get; init; } = [];

    /// <summary>The port replies come from.</summary>
    public IReadOnlyList<PortRange> ReplySourcePort { get; init; } = [];

    /// <summary>The port replies go to.</summary>
    public IReadOnlyList<PortRange> ReplyDestinationPort { get; init; } = [];

    /// <summary>The port that replaces the source's, on entries whose source is translated.</summary>
    public IReadOnlyList<PortRange> TranslatedSourcePort { get; init; } = [];

    /// <summary>The port that replaces the destination's, on entries whose destination is translated.</summary>
    public IReadOnlyList<PortRange> TranslatedDestinationPort { get; init; } = [];

    /// <summary>The port that replaces the source's or the destination's, on entries where that one is translated.</summary>
    public IReadOnlyList<PortRange> TranslatedPort { get; init; } = [];

    /// <summary>Any of the four ports.</summary>
    public IReadOnlyList<PortRange> Port { get; init; } = [];

    /// <summary>The layer 4 protocol.</summary>
    public IReadOnlyList<IPProtocol> Protocol { get; init; } = [];

    /// <summary>The state of a TCP, SCTP or DCCP connection.</summary>
    public IReadOnlyList<ConntrackState> State { get; init; } = [];

    /// <summary>Status bits that must all be set; null for any.</summary>
    public ConntrackStatus? Status { get; init; }

    /// <summary>Status bits of which none may be set; null for any.</summary>
    public ConntrackStatus? ExcludeStatus { get; init; }

    /// <summary>No reply has been seen.</summary>
    public bool Unreplied { get; init; }

    /// <summary>The source is translated: by its status, or since replies go elsewhere than to the source.</summary>
    public bool SourceNat { get; init; }

    /// <summary>The destination is translated: by its status, or since replies come from elsewhere.</summary>
    public bool DestinationNat { get; init; }

    /// <summary>The source or the destination is translated, or both are.</summary>
    public bool AnyNat { get; init; }

    /// <summary>The connection mark.</summary>
    public IReadOnlyList<MaskedMark> Mark { get; init; } = [];

    /// <summary>Labels of which any is set, by bit (0 to 127).</summary>
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

    /// <summary>At least so many bytes, both ways; entries without counters don't match.</summary>
    public ulong? MinimumBytes { get; init; }

    /// <summary>At least so many packets, both ways; entries without counters don't match.</summary>
    public ulong? MinimumPackets { get; init; }

    /// <summary>Fewer seconds left than these.</summary>
    public uint? TimeoutBelow { get; init; }

    /// <summary>More seconds left than these.</summary>
    public uint? TimeoutAbove { get; init; }

    /// <summary>Began longer ago than this; entries without a start time don't match.</summary>
    public TimeSpan? OlderThan { get; init; }

    /// <summary>The zone, whether it holds for both directions or for one.</summary>
    public IReadOnlyList<ushort> Zone { get; init; } = [];

    /// <summary>The zone of the original direction alone (CTA_TUPLE_ZONE of CTA_TUPLE_ORIG), 1 to 65535. Entries whose zone holds for
    /// both directions don't match.</summary>
    public IReadOnlyList<ushort> OriginalZone { get; init; } = [];

    /// <summary>The zone of the reply direction alone (CTA_TUPLE_ZONE of CTA_TUPLE_REPLY), 1 to 65535. Entries whose zone holds for
    /// both directions don't match.</summary>
    public IReadOnlyList<ushort> ReplyZone { get; init; } = [];

    /// <summary>The address family.</summary>
    public IPFamily AddressFamily { get; init; }

    /// <summary>The kernel's number of the entry.</summary>
    public IReadOnlyList<uint> Id { get; init; } = [];

    /// <summary>What is left out: entries that match any of these filters. That names nothing by itself, so that nothing can be
    /// deleted by it alone, and is always checked here, never by the kernel.</summary>
    public IReadOnlyList<ConntrackFilter> Exclude { get; init; } = [];

    /// <summary>Why nothing can match, whatever the table holds; null where something can. A filter that nothing can match is no
    /// error here: it matches nothing.</summary>
    public FilterContradiction? Contradiction => ContradictionFinder.Find(this);

    /// <summary>True where nothing is asked: every entry matches.</summary>
    public bool IsEmpty => Terms.Length == 0;

    /// <summary>True where the filter names something, so that deleting by it deletes no more than was named.</summary>
    public bool NamesEntries => Terms.Any(term => !term.IsTrivial);

    /// <summary>True where an entry that matches has always matched, and will as long as it lives.</summary>
    internal bool IsSteady => !AsksFor(Unsteady);

    /// <summary>Conditions that no property can say. They are always checked here, never by the kernel.</summary>
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

    /// <summary>Filters are compared by reference: two with equal lists are still two filters.</summary>
    public bool Equals(ConntrackFilter? other) => ReferenceEquals(this, other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);

    /// <summary>True where the entry is meant, at the moment of the call.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        foreach (FilterTerm term in Terms)
        {
            if (!term.Matches(entry))
                return false;
        }

        return true;
    }

    /// <summary>True where the entry is meant, at a time: one look at many entries judges all by the same.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="now">As <see cref="FilterTerm.Now"/> tells it.</param>
    internal bool Matches(ConntrackEntry entry, ulong now)
    {
        foreach (FilterTerm term in Terms)
        {
            if (term.MatchesAt is { } matchesAt ? !matchesAt(entry, now) : !term.Matches(entry))
                return false;
        }

        return true;
    }

    /// <summary>The filter as a person would say it.</summary>
    public override string ToString() =>
        IsEmpty ? "every entry" : "entries with " + string.Join(" and ", Terms.Select(term => term.Description));

    /// <summary>What is left without all that may change while an entry lives: a wider filter, and this one where nothing may.
    /// What is compared over time is found by it; otherwise an entry that changes would pass for one that ends or begins.</summary>
    internal ConntrackFilter SteadyPart() => Without(Unsteady);

    /// <summary>What is left without all that changes silently. An entry that comes to match it has had an event.</summary>
    internal ConntrackFilter WithoutAmounts() => Without(Amounts);

    /// <summary>The filter as it would be if IPv4-mapped addresses were those of IPv4.</summary>
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
