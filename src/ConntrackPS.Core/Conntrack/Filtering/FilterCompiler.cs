namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Turns a filter's properties into the conditions that are checked on each entry.</summary>
internal static class FilterCompiler
{
    /// <exception cref="ArgumentException">A property is set to a value that could not mean anything.</exception>
    public static IEnumerable<FilterTerm> Compile(ConntrackFilter filter)
    {
        RejectEmptyBits(filter.Status, nameof(filter.Status));
        RejectEmptyBits(filter.ExcludeStatus, nameof(filter.ExcludeStatus));
        return Build(filter).OfType<FilterTerm>();
    }

    private static IEnumerable<FilterTerm?> Build(ConntrackFilter filter)
    {
        if (filter.AddressFamily != IPFamily.Unspecified)
            yield return new FilterTerm($"address family {filter.AddressFamily}", entry => entry.AddressFamily == filter.AddressFamily);
        yield return AnyOf("protocol", filter.Protocol, entry => entry.Protocol);
        yield return Addresses("source address", filter.SourceAddress, (entry, prefix) => IsIn(prefix, entry.Original, entry.Original.Source));
        yield return Addresses("destination address", filter.DestinationAddress, (entry, prefix) => IsIn(prefix, entry.Original, entry.Original.Destination));
        yield return Addresses("reply source address", filter.ReplySourceAddress, (entry, prefix) => IsIn(prefix, entry.Reply, entry.Reply.Source));
        yield return Addresses("reply destination address", filter.ReplyDestinationAddress, (entry, prefix) => IsIn(prefix, entry.Reply, entry.Reply.Destination));
        yield return Addresses("any address", filter.Address, HasAddress);
        yield return Ports("source port", filter.SourcePort, (entry, range) => range.Contains(entry.Original.SourcePort));
        yield return Ports("destination port", filter.DestinationPort, (entry, range) => range.Contains(entry.Original.DestinationPort));
        yield return Ports("any port", filter.Port, HasPort);
        yield return AnyOf("state", filter.State, entry => entry.State);
        if (filter.Status is { } all)
            yield return new FilterTerm($"status {all}", entry => (entry.Status & all) == all);
        if (filter.ExcludeStatus is { } none)
            yield return new FilterTerm($"status without {none}", entry => (entry.Status & none) == 0);
        if (filter.Unreplied)
            yield return new FilterTerm("no reply seen", entry => (entry.Status & ConntrackStatus.SeenReply) == 0);
        if (filter.SourceNat)
            yield return new FilterTerm("a translated source", Translation.OfSource);
        if (filter.DestinationNat)
            yield return new FilterTerm("a translated destination", Translation.OfDestination);
        if (filter.Mark.Count > 0)
            yield return new FilterTerm("mark " + Join(filter.Mark), entry => Any(filter.Mark, entry, (mark, e) => mark.Matches(e.Mark)), filter.Mark.Any(mark => mark.Mask == 0));
        yield return Any("zone", filter.Zone, (entry, zone) => entry.Zone == zone || entry.OriginalZone == zone || entry.ReplyZone == zone);
        yield return AnyOf("id", filter.Id, entry => entry.Id);
    }

    private static FilterTerm? Addresses(
        string name, IReadOnlyList<AddressPrefix> prefixes, Func<ConntrackEntry, AddressPrefix, bool> matches) =>
        Any(name, prefixes, matches, prefixes.Any(prefix => prefix.Length == 0));

    private static FilterTerm? Ports(string name, IReadOnlyList<PortRange> ranges, Func<ConntrackEntry, PortRange, bool> matches) =>
        Any(name, ranges, (entry, range) => entry.SourcePort is not null && matches(entry, range));

    private static FilterTerm? AnyOf<T>(string name, IReadOnlyList<T> values, Func<ConntrackEntry, T?> read)
        where T : struct
    {
        if (values.Count == 0)
            return null;
        HashSet<T?> wanted = [.. values.Select(value => (T?)value)];
        return new FilterTerm($"{name} {Join(values)}", entry => wanted.Contains(read(entry)));
    }

    private static FilterTerm? Any<T>(
        string name, IReadOnlyList<T> values, Func<ConntrackEntry, T, bool> matches, bool isTrivial = false) =>
        values.Count == 0
            ? null
            : new FilterTerm($"{name} {Join(values)}", entry => Any(values, entry, (value, e) => matches(e, value)), isTrivial);

    private static bool Any<T>(IReadOnlyList<T> values, ConntrackEntry entry, Func<T, ConntrackEntry, bool> matches)
    {
        for (int i = 0; i < values.Count; i++)
        {
            if (matches(values[i], entry))
                return true;
        }

        return false;
    }

    private static bool IsIn(AddressPrefix prefix, in ConntrackTuple tuple, AddressBits address) =>
        prefix.Contains(tuple.Family, address);

    private static bool HasAddress(ConntrackEntry entry, AddressPrefix prefix) =>
        prefix.Contains(entry.Original.Family, entry.Original.Source)
        || prefix.Contains(entry.Original.Family, entry.Original.Destination)
        || prefix.Contains(entry.Reply.Family, entry.Reply.Source)
        || prefix.Contains(entry.Reply.Family, entry.Reply.Destination);

    private static bool HasPort(ConntrackEntry entry, PortRange range) =>
        range.Contains(entry.Original.SourcePort) || range.Contains(entry.Original.DestinationPort)
        || range.Contains(entry.Reply.SourcePort) || range.Contains(entry.Reply.DestinationPort);

    private static string Join<T>(IReadOnlyList<T> values) => string.Join(" or ", values);

    private static void RejectEmptyBits(ConntrackStatus? bits, string name)
    {
        if (bits == ConntrackStatus.None)
            throw new ArgumentException("No status bit is named, which would match every entry. Name at least one, such as Assured.", name);
    }
}
