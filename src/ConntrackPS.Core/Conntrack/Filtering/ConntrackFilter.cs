namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Which entries are meant. Every property that is set must match; of several values in one, any may.</summary>
/// <remarks>The same filter serves reading, deleting, changing, counting and watching.</remarks>
public sealed class ConntrackFilter
{
    private FilterTerm[]? _terms;

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

    /// <summary>The source port of the first packet; for protocols with ports.</summary>
    public IReadOnlyList<PortRange> SourcePort { get; init; } = [];

    /// <summary>The destination port of the first packet, before translation.</summary>
    public IReadOnlyList<PortRange> DestinationPort { get; init; } = [];

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

    /// <summary>The connection mark.</summary>
    public IReadOnlyList<MaskedMark> Mark { get; init; } = [];

    /// <summary>The zone, of both directions or of either.</summary>
    public IReadOnlyList<ushort> Zone { get; init; } = [];

    /// <summary>The address family.</summary>
    public IPFamily AddressFamily { get; init; }

    /// <summary>The kernel's number of the entry.</summary>
    public IReadOnlyList<uint> Id { get; init; } = [];

    /// <summary>True where nothing is asked: every entry matches.</summary>
    public bool IsEmpty => Terms.Length == 0;

    /// <summary>True where the filter names something, so that deleting by it deletes no more than was named.</summary>
    public bool NamesEntries => Terms.Any(term => !term.IsTrivial);

    internal FilterTerm[] Terms => _terms ??= [.. FilterCompiler.Compile(this)];

    /// <summary>True where the entry is meant.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        foreach (FilterTerm term in Terms)
        {
            if (!term.Matches(entry))
                return false;
        }

        return true;
    }

    /// <summary>The filter as a person would say it.</summary>
    public override string ToString() =>
        IsEmpty ? "every entry" : "entries with " + string.Join(" and ", Terms.Select(term => term.Description));
}
