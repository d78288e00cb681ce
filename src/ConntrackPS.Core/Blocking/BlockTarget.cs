using System.Globalization;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking;

/// <summary>Whose traffic is to be blocked: the flows that a filter names, or given ones.</summary>
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

    /// <summary>The flows as a person would name them.</summary>
    public string Description { get; }

    /// <summary>True where flows that are yet to come are blocked too; false where only those are that exist already, since
    /// the filter asks for something that new flows don't have or show: a mark, a state, an age.</summary>
    public bool CoversNewFlows => Rules.Count > 0;

    /// <summary>The flows that were given; empty for those of a filter.</summary>
    internal IReadOnlyList<ConntrackEntry> Given { get; } = [];

    /// <summary>What drops packets of flows that are yet to come.</summary>
    internal IReadOnlyList<BlockRule> Rules { get; }

    /// <summary>The flows that a filter names.</summary>
    /// <exception cref="ArgumentException">The filter names nothing.</exception>
    /// <exception cref="ZoneNotBlockableException">It names zones, which packets don't show.</exception>
    public static BlockTarget Of(ConntrackFilter filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        if (!filter.NamesEntries)
            throw new ArgumentException("The filter matches all traffic.");
        if (filter.Zone.Count > 0 || filter.OriginalZone.Count > 0 || filter.ReplyZone.Count > 0)
            throw new ZoneNotBlockableException();
        return new BlockTarget(filter, RuleCompiler.Compile(filter));
    }

    /// <summary>These flows, by both their tuples.</summary>
    /// <exception cref="FormatException">One leaves out what tells its packets from others.</exception>
    public static BlockTarget Of(IReadOnlyList<ConntrackEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        foreach (ConntrackEntry entry in entries)
            EntryKey.Of(entry).ThrowIfIncomplete();
        return new BlockTarget(entries);
    }

    /// <summary>True where the flow is meant. A given flow that begins anew from its other end is still the same.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return _filter?.Matches(entry) ?? _given.Contains(ByOriginal(entry));
    }

    /// <summary>True where the flow is meant, or would be if IPv4-mapped addresses were those of IPv4.</summary>
    internal bool MayMean(ConntrackEntry entry) =>
        Matches(entry) || (_filter is null
            ? Given.Any(given => Unmap(given.Original) == entry.Original || Unmap(given.Reply) == entry.Original)
            : _filter.Unmapped().Matches(entry));

    /// <summary>Lists the entries that are meant and exist now.</summary>
    /// <param name="table">Where they are.</param>
    /// <param name="found">Gets them, each as soon as it is found.</param>
    /// <param name="stop">Ends the listing.</param>
    /// <exception cref="IncompleteListingException">Others may have been missed.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public void Find(ConntrackTable table, ICollection<ConntrackEntry> found, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(found);
        using EntryStream stream = table.Open(_filter);
        using CancellationTokenRegistration registration = stop.Register(stream.Cancel);
        foreach (ConntrackEntry entry in stream.Batches().SelectMany(batch => batch).Where(Matches))
            found.Add(entry);
    }

    /// <summary>A flow that has begun anew may be translated in another way.</summary>
    private static EntryKey ByOriginal(ConntrackEntry entry) => EntryKey.Of(entry) with { Id = null, Reply = null };

    private static ConntrackTuple Unmap(ConntrackTuple tuple)
    {
        HostAddress source = new HostAddress(tuple.Family, tuple.Source).Unmapped, destination = new HostAddress(tuple.Family, tuple.Destination).Unmapped;
        return source.Family == destination.Family
            ? tuple with { Family = source.Family, Source = source.Bits, Destination = destination.Bits }
            : tuple;
    }
}

/// <summary>A block by zone was asked for, but packets have no zone before connection tracking gives them one.</summary>
public sealed class ZoneNotBlockableException()
    : Exception("Traffic cannot be blocked by zone: packets do not contain a zone, so equal flows of other zones would be dropped too.");
