namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>How entries are grouped, and which groups are wanted in which order.</summary>
public sealed record GroupOptions
{
    /// <summary>The properties that the entries of a group have in common; at least one.</summary>
    public IReadOnlyList<GroupProperty> GroupBy { get; init; } = [GroupProperties.Named("Protocol"), GroupProperties.Named("State")];

    /// <summary>Leading bits of IPv4 addresses that count, 0 to 32.</summary>
    public int Prefix { get; init; } = 32;

    /// <summary>Leading bits of IPv6 addresses that count, 0 to 128.</summary>
    public int PrefixIPv6 { get; init; } = 128;

    /// <summary>What the groups are sorted by; equal ones come in the order of their values.</summary>
    public GroupOrder SortBy { get; init; }

    /// <summary>The smallest first, instead of the largest.</summary>
    public bool Ascending { get; init; }

    /// <summary>The first so many groups alone; null for all.</summary>
    public int? Top { get; init; }
}
