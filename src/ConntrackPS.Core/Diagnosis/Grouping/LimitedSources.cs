using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;
using ConntrackPS.Rules;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Counts the connections of the hosts of a limit.</summary>
public static class LimitedSources
{
    /// <summary>Counts them in a table, and sets <see cref="ConntrackRule.Sources"/>. Does nothing for a rule that is no limit, or belongs to
    /// another process.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="table">The table of the rule's network namespace.</param>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    /// <exception cref="IncompleteListingException">Some entries may be missing from the counts. The counts are set.</exception>
    public static void Read(ConntrackRule rule, ConntrackTable table, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(rule);
        ArgumentNullException.ThrowIfNull(table);
        if (rule is not { Filter: { } filter, Action: LimitAction limit })
            return;
        IReadOnlyList<LimitedSource> sources = [];
        try
        {
            new LimitedSourceCount(filter, limit, table).Read(out sources, stop);
        }
        finally
        {
            rule.Sources = sources;
        }
    }
}

/// <summary>Counts the connections that a limit is about, as they are in the table, by the hosts that the limit counts.</summary>
/// <remarks>The kernel counts those of them that began after the rule was added.</remarks>
/// <param name="filter">The traffic of the limit.</param>
/// <param name="limit">The limit.</param>
/// <param name="table">The table.</param>
internal sealed class LimitedSourceCount(ConntrackFilter filter, LimitAction limit, ConntrackTable table)
{
    private static readonly ConntrackFilter Closed = new() { Protocol = [IPProtocol.Tcp], State = [ConntrackState.TimeWait, ConntrackState.Close] };
    private static readonly ConntrackFilter Expected = new() { Status = ConntrackStatus.Expected };

    private ConntrackFilter? _counted;

    /// <summary>Counts the entries.</summary>
    /// <param name="result">The hosts, those with most connections first. Set also if the listing was incomplete.</param>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    /// <exception cref="IncompleteListingException">Some entries may be missing from the counts.</exception>
    public void Read(out IReadOnlyList<LimitedSource> result, CancellationToken stop = default)
    {
        GroupMeasurement measurement = new(new GroupOptions
        {
            GroupBy = [GroupProperties.Named(HostProperty.Name)],
            Prefix = limit.Prefix,
            PrefixIPv6 = limit.PrefixIPv6,
        });
        result = [];
        try
        {
            measurement.Read(table, Counted, stop);
        }
        finally
        {
            result = [.. measurement.Groups().Select(group => new LimitedSource(group.Name, group.Count, limit.Maximum))];
        }
    }

    /// <summary>The prefix that counts as the host of an entry. Null if the limit is not about the entry.</summary>
    /// <param name="entry">The entry.</param>
    public string? HostOf(ConntrackEntry entry)
    {
        if (!Counted.Matches(entry))
            return null;
        IPFamily family = entry.Original.Family;
        HostAddress host = new(family, HostProperty.Reader(entry));
        return AddressPrefix.Of(host, family == IPFamily.IPv6 ? limit.PrefixIPv6 : limit.Prefix).ToString();
    }

    private AddressProperty HostProperty =>
        TupleProperties.AddressIn(limit.IsPerDestination ? TuplePlaces.OriginalDestination : TuplePlaces.OriginalSource);

    /// <summary>The entries that count. Not those that the rule never sees: connections that this machine opened, and those that a helper
    /// expected. Not those that the kernel does not count: closed ones (nf_conncount.c: already_closed).</summary>
    private ConntrackFilter Counted => _counted ??= MakeFilter();

    private ConntrackFilter MakeFilter()
    {
        IReadOnlyDictionary<IPFamily, LocalAddresses?> local = LocalAddresses.ReadIn(table.NetworkNamespace);
        List<ConntrackFilter> excluded = [Closed, Expected, new() { Conditions = [new FilterTerm(nameof(ConntrackFilter.Conditions), "a source of this machine", IsOwn)] }];
        if (limit.Exempt.Count > 0)
            excluded.Add(HostProperty.Set(new ConntrackFilter(), limit.Exempt));
        return OfFirstPacket() with { Exclude = [.. filter.Exclude, .. excluded] };

        bool IsOwn(ConntrackEntry entry) => local[entry.Original.Family]?.Owns(entry.Original.Source) == true;
    }

    /// <summary>A filter on either address or port means those of the entry's four that its first packet has: replies may be translated.</summary>
    private ConntrackFilter OfFirstPacket()
    {
        ConntrackFilter first = filter;
        foreach (TupleProperty property in TupleProperties.All.Where(property => property.IsOfEitherDirection && property.IsAsked(filter)))
        {
            Func<ConntrackEntry, bool>? matches = null;
            if (property is AddressProperty addresses)
            {
                IReadOnlyList<AddressPrefix> prefixes = addresses.Of(filter);
                first = addresses.Set(first, []);
                matches = entry => prefixes.Any(prefix => prefix.Contains(entry.Original.Family, entry.Original.Source) || prefix.Contains(entry.Original.Family, entry.Original.Destination));
            }
            else if (property is PortProperty ports)
            {
                IReadOnlyList<PortRange> ranges = ports.Of(filter);
                first = ports.Set(first, []);
                matches = entry => entry.Original.HasPorts && ranges.Any(range => range.Contains(entry.Original.SourcePort) || range.Contains(entry.Original.DestinationPort));
            }

            if (matches is not null)
                first = first with { Conditions = [.. first.Conditions, new FilterTerm(nameof(ConntrackFilter.Conditions), property.Phrase, matches)] };
        }

        return first;
    }
}
