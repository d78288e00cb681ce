using System.Globalization;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking;

/// <summary>The traffic to block: the flows that match a filter, or given flows.</summary>
public sealed class BlockTarget
{
    private readonly ConntrackFilter? _filter;
    private readonly HashSet<EntryKey> _given = [];

    private BlockTarget(ConntrackFilter filter, IReadOnlyList<BlockRule> rules)
    {
        (_filter, Rules) = (filter, rules);
        Description = filter.ToString();
    }

    private BlockTarget(IReadOnlyList<ConntrackEntry> entries)
    {
        Rules = [];
        Description = entries.Count == 1 ? entries[0].ToString() : string.Create(CultureInfo.InvariantCulture, $"{entries.Count} given flows");
        foreach (ConntrackEntry entry in entries)
            _given.UnionWith([ByOriginal(entry), new EntryKey(entry.Reply, entry.Zone, entry.ReplyZone, null) { ReplyZone = entry.OriginalZone }]);
        Given = entries;
    }

    /// <summary>A description of the flows.</summary>
    public string Description { get; }

    /// <summary>True if future flows are blocked too. False if only existing flows are blocked, because the filter has a condition on
    /// something that new flows or their packets do not have: a mark, a state, an age.</summary>
    public bool CoversNewFlows => Rules.Count > 0;

    /// <summary>The given flows. Empty for a filter.</summary>
    internal IReadOnlyList<ConntrackEntry> Given { get; } = [];

    /// <summary>The rules that drop packets of future flows.</summary>
    internal IReadOnlyList<BlockRule> Rules { get; }

    /// <summary>Selects the flows that match a filter.</summary>
    /// <exception cref="ArgumentException">The filter has no condition that names flows.</exception>
    /// <exception cref="ZoneNotBlockableException">The filter has zones, which packets do not contain.</exception>
    public static BlockTarget Of(ConntrackFilter filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        if (!filter.NamesEntries)
            throw new ArgumentException("The filter matches all traffic.");
        if (filter.Zone.Count > 0 || filter.OriginalZone.Count > 0 || filter.ReplyZone.Count > 0)
            throw new ZoneNotBlockableException();
        return new BlockTarget(filter, RuleCompiler.Compile(filter));
    }

    /// <summary>Selects the given flows, by both tuples of each.</summary>
    /// <exception cref="FormatException">A flow lacks values that identify its packets.</exception>
    public static BlockTarget Of(IReadOnlyList<ConntrackEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        foreach (ConntrackEntry entry in entries)
            EntryKey.Of(entry).ThrowIfIncomplete();
        return new BlockTarget(entries);
    }

    /// <summary>True if the flow is selected. A given flow that was restarted by its other end is also selected.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return _filter?.Matches(entry) ?? _given.Contains(ByOriginal(entry));
    }

    /// <summary>True if the flow is selected, or would be with IPv4 addresses in place of IPv4-mapped addresses.</summary>
    internal bool MayMean(ConntrackEntry entry) =>
        Matches(entry) || (_filter is null
            ? Given.Any(given => Unmap(given.Original) == entry.Original || Unmap(given.Reply) == entry.Original)
            : _filter.Unmapped().Matches(entry));

    /// <summary>Lists the selected entries that exist now.</summary>
    /// <param name="table">The table.</param>
    /// <param name="found">Receives each entry as soon as it is found.</param>
    /// <param name="stop">Stops the listing.</param>
    /// <exception cref="IncompleteListingException">Some entries may have been missed.</exception>
    /// <exception cref="OperationCanceledException">The listing was stopped.</exception>
    public void Find(ConntrackTable table, ICollection<ConntrackEntry> found, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(found);
        using EntryStream stream = table.Open(_filter);
        using CancellationTokenRegistration registration = stop.Register(stream.Cancel);
        foreach (ConntrackEntry entry in stream.Batches().SelectMany(batch => batch).Where(Matches))
            found.Add(entry);
    }

    /// <summary>A restarted flow may have another translation.</summary>
    private static EntryKey ByOriginal(ConntrackEntry entry) => EntryKey.Of(entry) with { Id = null, Reply = null };

    private static ConntrackTuple Unmap(ConntrackTuple tuple)
    {
        HostAddress source = new HostAddress(tuple.Family, tuple.Source).Unmapped, destination = new HostAddress(tuple.Family, tuple.Destination).Unmapped;
        return source.Family == destination.Family
            ? tuple with { Family = source.Family, Source = source.Bits, Destination = destination.Bits }
            : tuple;
    }
}

/// <summary>A block by zone was requested, but packets have no zone before connection tracking assigns one.</summary>
public sealed class ZoneNotBlockableException()
    : Exception("Traffic cannot be blocked by zone: packets do not contain a zone, so equal flows of other zones would be dropped too.");
