using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Reads a filter that names one tuple whole, of the original direction or of the reply, as the key of one entry.</summary>
/// <remarks>ICMP and GRE have no parameters for replies: type, code, id and keys are always those of the first packet.</remarks>
internal static class ExactTuple
{
    /// <summary>The key of the entry: by its original tuple, or by its reply where the filter has no address of the original.</summary>
    /// <exception cref="FormatException">The filter names more or less than one tuple; the message says what is wrong.</exception>
    public static EntryKey Of(ConntrackFilter filter)
    {
        ushort zone = filter.Zone.Count == 0 ? (ushort)0 : One(filter.Zone, "Zone");
        ushort? originalZone = filter.OriginalZone.Count == 0 ? null : One(filter.OriginalZone, "OriginalZone");
        ushort? replyZone = filter.ReplyZone.Count == 0 ? null : One(filter.ReplyZone, "ReplyZone");
        uint? id = filter.Id.Count == 0 ? null : One(filter.Id, "Id");
        ConntrackTuple tuple = FirstPacket(filter);
        return IsByReply(filter)
            ? new EntryKey(default, zone, originalZone, id) { ReplyZone = replyZone, Reply = TupleInversion.ReplyTo(tuple) }
            : new EntryKey(tuple, zone, originalZone, id) { ReplyZone = replyZone };
    }

    /// <summary>The original tuple, taken from the reply where that alone is named: as it is without translation.</summary>
    /// <exception cref="FormatException">The filter names more or less than one tuple; the message says what is wrong.</exception>
    public static ConntrackTuple FirstPacket(ConntrackFilter filter) => IsByReply(filter)
        ? FirstPacket(
            filter,
            (nameof(filter.ReplyDestinationAddress), filter.ReplyDestinationAddress, nameof(filter.ReplyDestinationPort), filter.ReplyDestinationPort),
            (nameof(filter.ReplySourceAddress), filter.ReplySourceAddress, nameof(filter.ReplySourcePort), filter.ReplySourcePort))
        : FirstPacket(
            filter,
            (nameof(filter.SourceAddress), filter.SourceAddress, nameof(filter.SourcePort), filter.SourcePort),
            (nameof(filter.DestinationAddress), filter.DestinationAddress, nameof(filter.DestinationPort), filter.DestinationPort));

    /// <summary>What a filter asks besides the tuple that it names, and the zone that this direction is in.</summary>
    public static ConntrackFilter Rest(ConntrackFilter filter)
    {
        ConntrackFilter rest = filter with { Zone = [], IcmpType = [], IcmpCode = [], IcmpId = [], GreSourceKey = [], GreDestinationKey = [] };
        return IsByReply(filter)
            ? rest with { ReplySourceAddress = [], ReplyDestinationAddress = [], ReplySourcePort = [], ReplyDestinationPort = [] }
            : rest with { SourceAddress = [], DestinationAddress = [], SourcePort = [], DestinationPort = [] };
    }

    private static bool IsByReply(ConntrackFilter filter) =>
        filter is { SourceAddress.Count: 0, DestinationAddress.Count: 0 }
        && filter.ReplySourceAddress.Count + filter.ReplyDestinationAddress.Count > 0;

    private static ConntrackTuple FirstPacket(
        ConntrackFilter filter,
        (string AddressName, IReadOnlyList<AddressPrefix> Address, string PortName, IReadOnlyList<PortRange> Port) sender,
        (string AddressName, IReadOnlyList<AddressPrefix> Address, string PortName, IReadOnlyList<PortRange> Port) receiver)
    {
        AddressPrefix source = Address(sender.Address, sender.AddressName);
        AddressPrefix destination = Address(receiver.Address, receiver.AddressName);
        if (source.Family != destination.Family)
            throw new FormatException($"-{sender.AddressName} and -{receiver.AddressName} are of different families.");
        ConntrackTuple tuple = new()
        {
            Family = source.Family,
            Source = source.Address,
            Destination = destination.Address,
            Protocol = One(filter.Protocol, nameof(filter.Protocol)),
        };
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

        return tuple.MustHavePorts || sender.Port.Count > 0 || receiver.Port.Count > 0
            ? tuple with { HasPorts = true, SourcePort = Port(sender.Port, sender.PortName), DestinationPort = Port(receiver.Port, receiver.PortName) }
            : tuple;
    }

    private static AddressPrefix Address(IReadOnlyList<AddressPrefix> prefixes, string name) =>
        One(prefixes, name) is { IsSingleAddress: true } address ? address : throw new FormatException($"-{name} must be one address, not a prefix.");

    private static ushort Port(IReadOnlyList<PortRange> ranges, string name) =>
        One(ranges, name) is var range && range.First == range.Last ? range.First : throw new FormatException($"-{name} must be one port, not a range.");

    private static T One<T>(IReadOnlyList<T> values, string name) =>
        values.Count == 1 ? values[0] : throw new FormatException($"-{name} must have exactly one value.");
}
