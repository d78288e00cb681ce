using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Converts a filter with one complete tuple, of the original or of the reply direction, into the key of one entry.</summary>
/// <remarks>ICMP and GRE have no parameters for replies: type, code, id and keys are always those of the first packet.</remarks>
internal static class ExactTuple
{
    /// <summary>The key of the entry: by its original tuple, or by its reply if the filter has no original address.</summary>
    /// <exception cref="FormatException">The filter does not identify exactly one tuple. The message says what is wrong.</exception>
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

    /// <summary>The original tuple. If the filter has only the reply, it is derived from the reply, as if there were no
    /// translation.</summary>
    /// <exception cref="FormatException">The filter does not identify exactly one tuple. The message says what is wrong.</exception>
    public static ConntrackTuple FirstPacket(ConntrackFilter filter) => IsByReply(filter)
        ? FirstPacket(filter, TuplePlaces.ReplyDestination, TuplePlaces.ReplySource)
        : FirstPacket(filter, TuplePlaces.OriginalSource, TuplePlaces.OriginalDestination);

    /// <summary>The filter for the addresses and the protocol of one tuple.</summary>
    public static ConntrackFilter ByAddresses(in ConntrackTuple tuple, TupleDirection direction)
    {
        (TuplePlaces source, TuplePlaces destination) = direction == TupleDirection.Reply
            ? (TuplePlaces.ReplySource, TuplePlaces.ReplyDestination)
            : (TuplePlaces.OriginalSource, TuplePlaces.OriginalDestination);
        ConntrackFilter filter = new() { Protocol = [tuple.Protocol] };
        filter = TupleProperties.AddressIn(source).Set(filter, [AddressPrefix.Of(new HostAddress(tuple.Family, tuple.Source))]);
        return TupleProperties.AddressIn(destination).Set(filter, [AddressPrefix.Of(new HostAddress(tuple.Family, tuple.Destination))]);
    }

    /// <summary>The conditions of a filter other than the tuple, and the zone of this direction.</summary>
    public static ConntrackFilter Rest(ConntrackFilter filter)
    {
        // ICMP and GRE numbers are always those of the first packet.
        TuplePlaces places = IsByReply(filter) ? TuplePlaces.Reply : TuplePlaces.Original;
        return TupleProperties.All
            .Where(property => property is { HasOnePlace: true, IsTranslated: false }
                && (property.Places & (property is AddressProperty or PortProperty ? places : TuplePlaces.Original)) != 0)
            .Aggregate(filter with { Zone = [] }, (rest, property) => property.Without(rest));
    }

    private static bool IsByReply(ConntrackFilter filter) =>
        !IsAsked(filter, TuplePlaces.OriginalSource) && !IsAsked(filter, TuplePlaces.OriginalDestination)
        && (IsAsked(filter, TuplePlaces.ReplySource) || IsAsked(filter, TuplePlaces.ReplyDestination));

    private static bool IsAsked(ConntrackFilter filter, TuplePlaces place) => TupleProperties.AddressIn(place).IsAsked(filter);

    private static ConntrackTuple FirstPacket(ConntrackFilter filter, TuplePlaces sender, TuplePlaces receiver)
    {
        AddressProperty senderAddress = TupleProperties.AddressIn(sender), receiverAddress = TupleProperties.AddressIn(receiver);
        PortProperty senderPort = TupleProperties.PortIn(sender), receiverPort = TupleProperties.PortIn(receiver);
        AddressPrefix source = Address(senderAddress, filter), destination = Address(receiverAddress, filter);
        if (source.Family != destination.Family)
            throw new TemplateException("{0} and {1} are of different families.", senderAddress.Name, receiverAddress.Name);
        ConntrackTuple tuple = new()
        {
            Family = source.Family,
            Source = source.Address,
            Destination = destination.Address,
            Protocol = One(filter.Protocol, nameof(filter.Protocol)),
        };
        TupleNumbers numbers = TupleNumbers.Of(tuple.Protocol);
        return tuple.IsIcmp || tuple.MustHavePorts || senderPort.IsAsked(filter) || receiverPort.IsAsked(filter)
            ? numbers.Fill(tuple, (name, _) => Property(name).OneNumber(filter))
            : tuple;

        TupleProperty Property(string name) =>
            numbers == TupleNumbers.Ports ? name == numbers.Source ? senderPort : receiverPort : TupleProperties.Named(name);
    }

    private static AddressPrefix Address(AddressProperty property, ConntrackFilter filter) =>
        property.One(filter) is { IsSingleAddress: true } address
            ? address
            : throw new TemplateException("{0} must be one address, not a prefix.", property.Name);

    private static T One<T>(IReadOnlyList<T> values, string name) =>
        values.Count == 1 ? values[0] : throw new TemplateException("{0} must have exactly one value.", name);
}
