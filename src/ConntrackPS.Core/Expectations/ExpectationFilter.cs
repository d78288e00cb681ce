using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Expectations;

/// <summary>Which expectations are meant. Every property that is set must match; of several values in one, any may.</summary>
public sealed class ExpectationFilter
{
    /// <summary>Where the expected connection comes from, as it stands in the expectation.</summary>
    public IReadOnlyList<AddressPrefix> SourceAddress { get; init; } = [];

    /// <summary>Where the expected connection goes to.</summary>
    public IReadOnlyList<AddressPrefix> DestinationAddress { get; init; } = [];

    /// <summary>The source of the connection that announced it.</summary>
    public IReadOnlyList<AddressPrefix> MasterSourceAddress { get; init; } = [];

    /// <summary>The destination of the connection that announced it.</summary>
    public IReadOnlyList<AddressPrefix> MasterDestinationAddress { get; init; } = [];

    /// <summary>The source port as it stands in the expectation.</summary>
    public IReadOnlyList<PortRange> SourcePort { get; init; } = [];

    /// <summary>The destination port.</summary>
    public IReadOnlyList<PortRange> DestinationPort { get; init; } = [];

    /// <summary>The layer 4 protocol.</summary>
    public IReadOnlyList<IPProtocol> Protocol { get; init; } = [];

    /// <summary>The master's helper.</summary>
    public IReadOnlyList<string> Helper { get; init; } = [];

    /// <summary>The connections that announced them, by their original tuple and zone.</summary>
    public IReadOnlyList<EntryKey> Master { get; init; } = [];

    /// <summary>The master's zone.</summary>
    public IReadOnlyList<ushort> Zone { get; init; } = [];

    /// <summary>The kernel's id.</summary>
    public IReadOnlyList<uint> Id { get; init; } = [];

    /// <summary>The address family.</summary>
    public IPFamily AddressFamily { get; init; }

    /// <summary>Why nothing can match, whatever expectations there are; null where something can.</summary>
    public FilterContradiction? Contradiction =>
        ContradictionFinder.OfFamilies(
            AddressFamily,
            (nameof(SourceAddress), SourceAddress),
            (nameof(DestinationAddress), DestinationAddress),
            (nameof(MasterSourceAddress), MasterSourceAddress),
            (nameof(MasterDestinationAddress), MasterDestinationAddress))
        ?? ContradictionFinder.OfProtocols(
            (nameof(Protocol), Protocol),
            ContradictionFinder.PortsOrKeys(nameof(SourcePort), SourcePort),
            ContradictionFinder.PortsOrKeys(nameof(DestinationPort), DestinationPort));

    /// <summary>True where some condition excludes something, so that it may be taken for a choice.</summary>
    public bool NamesExpectations =>
        new[] { SourceAddress, DestinationAddress, MasterSourceAddress, MasterDestinationAddress }.Any(Excludes)
        || Excludes(SourcePort) || Excludes(DestinationPort)
        || Protocol.Count > 0 || Helper.Count > 0 || Master.Count > 0 || Zone.Count > 0 || Id.Count > 0
        || AddressFamily != IPFamily.Unspecified;

    /// <summary>True where the expectation is meant.</summary>
    public bool Matches(ConntrackExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        return MatchesButForZone(expectation)
            && (Zone.Count == 0 || (expectation.Zone is { } zone && Zone.Contains(zone)))
            && (Master.Count == 0 || Master.Any(master => master.AnyZone == expectation.Zone && master.Original == expectation.Master));
    }

    /// <summary>What can be told before the zone is known, which costs a request.</summary>
    internal bool MatchesButForZone(ConntrackExpectation expectation)
    {
        ConntrackTuple expected = expectation.Expected, master = expectation.Master;
        return (AddressFamily == IPFamily.Unspecified || AddressFamily == expected.Family)
            && (Protocol.Count == 0 || Protocol.Contains(expected.Protocol))
            && (Helper.Count == 0 || Helper.Contains(expectation.Helper, StringComparer.OrdinalIgnoreCase))
            && (Id.Count == 0 || (expectation.Id is { } id && Id.Contains(id)))
            && (Master.Count == 0 || Master.Any(key => key.Original == master))
            && Holds(SourceAddress, expected.Family, expected.Source) && Holds(DestinationAddress, expected.Family, expected.Destination)
            && Holds(MasterSourceAddress, master.Family, master.Source) && Holds(MasterDestinationAddress, master.Family, master.Destination)
            && Holds(SourcePort, expectation.SourcePort) && Holds(DestinationPort, expectation.DestinationPort);
    }

    private static bool Holds(IReadOnlyList<AddressPrefix> prefixes, IPFamily family, AddressBits address) =>
        prefixes.Count == 0 || prefixes.Any(prefix => prefix.Contains(family, address));

    private static bool Holds(IReadOnlyList<PortRange> ranges, ushort? port) =>
        ranges.Count == 0 || (port is { } number && ranges.Any(range => range.Contains(number)));

    private static bool Excludes(IReadOnlyList<AddressPrefix> prefixes) => prefixes.Count > 0 && !FilterTerms.HasWholeFamily(prefixes);

    private static bool Excludes(IReadOnlyList<PortRange> ranges) => ranges.Count > 0 && !FilterTerms.HasAllPorts(ranges);
}
