using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Reads a filter that names one tuple whole as the key of one entry.</summary>
internal static class ExactTuple
{
    /// <exception cref="FormatException">The filter names more or less than one tuple; the message says what is wrong.</exception>
    public static EntryKey Of(ConntrackFilter filter)
    {
        AddressPrefix source = Address(filter.SourceAddress, "SourceAddress");
        AddressPrefix destination = Address(filter.DestinationAddress, "DestinationAddress");
        if (source.Family != destination.Family)
            throw new FormatException("-SourceAddress and -DestinationAddress are of different families.");
        ConntrackTuple tuple = new()
        {
            Family = source.Family,
            Source = source.Address,
            Destination = destination.Address,
            Protocol = One(filter.Protocol, "Protocol"),
        };
        ushort zone = filter.Zone.Count == 0 ? (ushort)0 : One(filter.Zone, "Zone");
        uint? id = filter.Id.Count == 0 ? null : One(filter.Id, "Id");
        return new EntryKey(WithPorts(tuple, filter), zone, null, id);
    }

    private static ConntrackTuple WithPorts(ConntrackTuple tuple, ConntrackFilter filter)
    {
        if (tuple.IsIcmp)
        {
            ushort typeAndCode = (ushort)(One(filter.IcmpType, "IcmpType") << 8 | One(filter.IcmpCode, "IcmpCode"));
            return tuple with { HasPorts = true, SourcePort = One(filter.IcmpId, "IcmpId"), DestinationPort = typeAndCode };
        }

        if (tuple.Protocol == IPProtocol.Gre)
        {
            return tuple with
            {
                HasPorts = true,
                SourcePort = One(filter.GreSourceKey, "GreSourceKey"),
                DestinationPort = One(filter.GreDestinationKey, "GreDestinationKey"),
            };
        }

        return tuple.MustHavePorts || filter.SourcePort.Count > 0
            ? tuple with { HasPorts = true, SourcePort = Port(filter.SourcePort, "SourcePort"), DestinationPort = Port(filter.DestinationPort, "DestinationPort") }
            : tuple;
    }

    private static AddressPrefix Address(IReadOnlyList<AddressPrefix> prefixes, string name) =>
        One(prefixes, name) is { IsSingleAddress: true } address ? address : throw new FormatException($"-{name} must be one address, not a prefix.");

    private static ushort Port(IReadOnlyList<PortRange> ranges, string name) =>
        One(ranges, name) is var range && range.First == range.Last ? range.First : throw new FormatException($"-{name} must be one port, not a range.");

    private static T One<T>(IReadOnlyList<T> values, string name) =>
        values.Count == 1 ? values[0] : throw new FormatException($"-{name} must have exactly one value.");
}
