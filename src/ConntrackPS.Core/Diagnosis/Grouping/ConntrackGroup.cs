using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>A group of entries with equal values of some properties, with its sums. Packets and bytes are null if no entry has counters
/// (nf_conntrack_acct). Rates are null unless the table was read twice.</summary>
public sealed class ConntrackGroup
{
    private readonly GroupKey _key;
    private readonly GroupTotals _totals;
    private readonly double? _seconds;

    internal ConntrackGroup(GroupKey key, in GroupTotals totals, long all, double? seconds, string? networkNamespace)
    {
        (_key, _totals, _seconds, Namespace) = (key, totals, seconds, networkNamespace);
        Percent = all == 0 ? 0 : Math.Round(100.0 * totals.Count / all, 2);
    }

    /// <summary>The common values on one line.</summary>
    public string Name => _key.ToString();

    /// <summary>The common values on one line, with services in place of ports.</summary>
    internal string NameBy(ServiceNames services)
    {
        IReadOnlyList<KeyValuePair<string, object?>> values = GetValues();
        IPProtocol? protocol = values.Select(pair => pair.Value).OfType<IPProtocol>().Cast<IPProtocol?>().FirstOrDefault();
        return string.Join(", ", values.Select(pair => ServiceOf(pair) ?? pair.Value?.ToString() ?? "-"));

        string? ServiceOf(KeyValuePair<string, object?> pair)
        {
            if (pair.Value is not ushort port || !TupleProperties.TryFind(pair.Key, out TupleProperty? property) || property is not PortProperty)
                return null;
            return protocol is { } known ? services.NameOf(known, port) : services.NameOf(port);
        }
    }

    /// <summary>The number of entries.</summary>
    public long Count => _totals.Count;

    /// <summary>The group's percentage of all counted entries.</summary>
    public double Percent { get; }

    /// <summary>Packets from the sources.</summary>
    public ulong? OriginalPackets => Counted(_totals.OriginalPackets);

    /// <summary>Bytes from the sources, with layer 3 headers.</summary>
    public ulong? OriginalBytes => Counted(_totals.OriginalBytes);

    /// <summary>Packets of replies.</summary>
    public ulong? ReplyPackets => Counted(_totals.ReplyPackets);

    /// <summary>Bytes of replies, with layer 3 headers.</summary>
    public ulong? ReplyBytes => Counted(_totals.ReplyBytes);

    /// <summary>Packets in both directions.</summary>
    public ulong? TotalPackets => OriginalPackets + ReplyPackets;

    /// <summary>Bytes in both directions.</summary>
    public ulong? TotalBytes => OriginalBytes + ReplyBytes;

    /// <summary>Entries that are assured.</summary>
    public long Assured => _totals.Assured;

    /// <summary>Entries without a reply.</summary>
    public long Unreplied => _totals.Unreplied;

    /// <summary>Entries in state SynSent.</summary>
    public long SynSent => InState(ConntrackState.SynSent);

    /// <summary>Entries in state SynRecv.</summary>
    public long SynRecv => InState(ConntrackState.SynRecv);

    /// <summary>Entries in state Established.</summary>
    public long Established => InState(ConntrackState.Established);

    /// <summary>Entries in state FinWait.</summary>
    public long FinWait => InState(ConntrackState.FinWait);

    /// <summary>Entries in state CloseWait.</summary>
    public long CloseWait => InState(ConntrackState.CloseWait);

    /// <summary>Entries in state LastAck.</summary>
    public long LastAck => InState(ConntrackState.LastAck);

    /// <summary>Entries in state TimeWait.</summary>
    public long TimeWait => InState(ConntrackState.TimeWait);

    /// <summary>Entries in state Close.</summary>
    public long Close => InState(ConntrackState.Close);

    /// <summary>Entries in state SynSent2.</summary>
    public long SynSent2 => InState(ConntrackState.SynSent2);

    /// <summary>Entries in a state that TCP does not have.</summary>
    public long OtherState => _totals.States[GroupTotals.OtherState];

    /// <summary>Entries of protocols without state.</summary>
    public long Stateless => _totals.States[GroupTotals.Stateless];

    /// <summary>The start of the oldest entry, local time; null while nf_conntrack_timestamp is off.</summary>
    public DateTime? Oldest => _totals.Oldest == 0 ? null : ConntrackEntry.ToLocalTime(_totals.Oldest);

    /// <summary>The start of the newest entry, local time; null while nf_conntrack_timestamp is off.</summary>
    public DateTime? Newest => _totals.Newest == 0 ? null : ConntrackEntry.ToLocalTime(_totals.Newest);

    /// <summary>Bits per second in both directions, of entries that still exist.</summary>
    public double? BitsPerSecond => _totals.WithCounters == 0 ? null : PerSecond(_totals.MovedBytes * 8);

    /// <summary>Packets per second in both directions, of entries that still exist.</summary>
    public double? PacketsPerSecond => _totals.WithCounters == 0 ? null : PerSecond(_totals.MovedPackets);

    /// <summary>New entries per second, including those that newly match the filter.</summary>
    public double? NewPerSecond => PerSecond((ulong)_totals.Began);

    /// <summary>Ended entries per second, including those that no longer match the filter.</summary>
    public double? ClosedPerSecond => PerSecond((ulong)_totals.Ended);

    /// <summary>The network namespace that the entries were read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The names of the properties with common values: <c>Protocol, State</c>.</summary>
    public string GroupBy => _key.Names;

    /// <summary>The filter of the count, in the syntax of the calling program. Null if objects were counted, or if the filter can't be
    /// written as text.</summary>
    public string? Filter { get; internal set; }

    /// <summary>The names and values of the common properties. A value is null for entries without the property.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> GetValues() => _key.Pairs();

    /// <summary>The filter that matches exactly the entries of the group. Null for a group of objects that did not come from the
    /// table.</summary>
    public ConntrackFilter? ToFilter() => _key.ToFilter();

    /// <summary>The group on one line.</summary>
    public override string ToString() => $"{Name}: {Count}";

    /// <summary>Creates the filter of <see cref="ToFilter"/> for a group that was saved as text.</summary>
    /// <param name="values">The properties and the text of their values. Null for entries without the property.</param>
    /// <param name="within">The filter of the count.</param>
    /// <exception cref="FormatException">A value is invalid. The message completes a sentence.</exception>
    internal static ConntrackFilter FilterOf(IReadOnlyList<(GroupProperty Property, string? Text)> values, ConntrackFilter within)
    {
        // The prefix length is in the address, and is the same for all addresses of one family in a group.
        AddressPrefix[] prefixes = [.. values.Where(value => value.Text?.Contains('/', StringComparison.Ordinal) == true && value.Property.Name.EndsWith("Address", StringComparison.Ordinal))
            .Select(value => AddressPrefix.Parse(value.Text!))];
        GroupContext context = new(
            prefixes.FirstOrDefault(prefix => prefix.Family == IPFamily.IPv4, AddressPrefix.Parse("0.0.0.0/32")).Length,
            prefixes.FirstOrDefault(prefix => prefix.Family == IPFamily.IPv6, AddressPrefix.Parse("::/128")).Length);
        GroupValue[] read = [.. values.Select(value => Read(value.Property, value.Text, context))];
        return new GroupKey([.. values.Select(value => value.Property)], read, context, within).ToFilter()!;
    }

    private static GroupValue Read(GroupProperty property, string? text, GroupContext context)
    {
        if (text is null)
            return GroupValue.Absent;
        GroupValue value = property.Parse?.Invoke(text, context) ?? GroupValue.Absent;

        return value.IsAbsent ? throw new FormatException($"its {property.Name} '{text}' can't be read.") : value;
    }

    private long InState(ConntrackState state) => _totals.States[(int)state];

    private ulong? Counted(ulong amount) => _totals.WithCounters == 0 ? null : amount;

    private double? PerSecond(ulong amount) => _seconds is { } seconds ? Math.Round(amount / seconds, 2) : null;
}

/// <summary>The key of a group: the common values of its entries, and the filter of the count.</summary>
/// <param name="properties">The properties.</param>
/// <param name="values">The value of each.</param>
/// <param name="context">The meaning of the values.</param>
/// <param name="within">The filter, or null if the entries did not come from the table.</param>
internal sealed class GroupKey(
    IReadOnlyList<GroupProperty> properties, GroupValue[] values, GroupContext context, ConntrackFilter? within)
{
    /// <summary>The names on one line.</summary>
    public string Names => string.Join(", ", properties.Select(property => property.Name));

    /// <summary>The names and values. A value is null for entries without the property.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Pairs() =>
        [.. properties.Select((property, i) => KeyValuePair.Create(property.Name, property.Show(values[i], context)))];

    /// <summary>The filter that matches exactly the entries of the group, or null if there is none.</summary>
    /// <remarks>A value is set in the filter's own property if that has the same meaning, so that the kernel can check its part. If that
    /// would match more, or the filter already has such a condition, the entry's value is compared here.</remarks>
    public ConntrackFilter? ToFilter()
    {
        if (within is null)
            return null;
        ConntrackFilter filter = within;
        List<FilterTerm> conditions = [.. within.Conditions];
        for (int i = 0; i < values.Length; i++)
        {
            GroupProperty property = properties[i];
            ConntrackFilter? narrowed = values[i].IsAbsent ? null : property.Narrow?.Invoke(filter, values[i], context);
            filter = narrowed ?? filter;
            if (narrowed is null || !property.IsExact)
                conditions.Add(Condition(property, values[i]));
        }

        return filter with { Conditions = conditions };
    }

    /// <summary>The values on one line.</summary>
    public override string ToString() => string.Join(", ", Pairs().Select(pair => pair.Value?.ToString() ?? "-"));

    private FilterTerm Condition(GroupProperty property, GroupValue value)
    {
        GroupContext meaning = context;
        return new FilterTerm(
            nameof(ConntrackFilter.Conditions),
            value.IsAbsent ? $"no {property.Name}" : $"{property.Name} {property.Show(value, meaning)}",
            entry => property.Read(entry, meaning) == value,
            IsTrivial: property.IsTrivial(value, meaning));
    }
}
