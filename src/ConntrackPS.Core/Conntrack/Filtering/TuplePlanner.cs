using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>The part of a plan that concerns tuples. The family is known here, as the kernel wants it.</summary>
internal static class TuplePlanner
{
    public static KernelFilter Plan(ConntrackFilter filter, KernelFilter kernel, HashSet<string> covered)
    {
        TupleFilter original = TupleFilter.None, reply = TupleFilter.None;
        IPProtocol? protocol = filter.Protocol is [IPProtocol only] ? only : null;
        if (protocol is { } number)
        {
            original = original with { Fields = TupleFields.Protocol, Protocol = number };
            covered.Add(nameof(filter.Protocol));
        }

        if (kernel.Family == IPFamily.IPv4)
        {
            original = WithAddresses(original, filter.SourceAddress, filter.DestinationAddress);
            reply = WithAddresses(reply, filter.ReplySourceAddress, filter.ReplyDestinationAddress);
            Cover(original, covered, nameof(filter.SourceAddress), nameof(filter.DestinationAddress), TupleFields.SourceAddress, TupleFields.DestinationAddress);
            Cover(reply, covered, nameof(filter.ReplySourceAddress), nameof(filter.ReplyDestinationAddress), TupleFields.SourceAddress, TupleFields.DestinationAddress);

            // Necessary for a match, but not enough: the entry must be translated too. So these cover nothing.
            reply = WithAddresses(reply, filter.TranslatedDestinationAddress, filter.TranslatedSourceAddress);
        }

        if (protocol is IPProtocol.Tcp or IPProtocol.Udp)
        {
            original = WithPorts(original, protocol.Value, filter.SourcePort, filter.DestinationPort);
            reply = WithPorts(reply, protocol.Value, filter.ReplySourcePort, filter.ReplyDestinationPort);
            Cover(original, covered, nameof(filter.SourcePort), nameof(filter.DestinationPort), TupleFields.SourcePort, TupleFields.DestinationPort);
            Cover(reply, covered, nameof(filter.ReplySourcePort), nameof(filter.ReplyDestinationPort), TupleFields.SourcePort, TupleFields.DestinationPort);
        }
        else if (protocol == (kernel.Family == IPFamily.IPv6 ? IPProtocol.IcmpV6 : IPProtocol.Icmp))
        {
            original = WithIcmp(original, filter, covered);
        }

        return kernel with { Original = original, Reply = reply };
    }

    private static TupleFilter WithAddresses(TupleFilter tuple, IReadOnlyList<AddressPrefix> source, IReadOnlyList<AddressPrefix> destination)
    {
        if (SingleIPv4(source) is { } from && !tuple.Fields.HasFlag(TupleFields.SourceAddress))
            tuple = tuple with { Fields = tuple.Fields | TupleFields.SourceAddress, SourceAddress = from };
        if (SingleIPv4(destination) is { } to && !tuple.Fields.HasFlag(TupleFields.DestinationAddress))
            tuple = tuple with { Fields = tuple.Fields | TupleFields.DestinationAddress, DestinationAddress = to };
        return tuple;
    }

    private static TupleFilter WithPorts(
        TupleFilter tuple, IPProtocol protocol, IReadOnlyList<PortRange> source, IReadOnlyList<PortRange> destination)
    {
        if (Single(source) is { } from)
            tuple = tuple with { Fields = tuple.Fields | TupleFields.SourcePort, SourcePort = from };
        if (Single(destination) is { } to)
            tuple = tuple with { Fields = tuple.Fields | TupleFields.DestinationPort, DestinationPort = to };

        // The kernel compares ports only beside the protocol.
        return (tuple.Fields & (TupleFields.SourcePort | TupleFields.DestinationPort)) == 0
            ? tuple
            : tuple with { Fields = tuple.Fields | TupleFields.Protocol, Protocol = protocol };
    }

    private static TupleFilter WithIcmp(TupleFilter tuple, ConntrackFilter filter, HashSet<string> covered)
    {
        bool isIcmpV6 = tuple.Protocol == IPProtocol.IcmpV6;
        if (filter.IcmpType is [byte type])
        {
            tuple = tuple with { Fields = tuple.Fields | (isIcmpV6 ? TupleFields.IcmpV6Type : TupleFields.IcmpType), IcmpType = type };
            covered.Add(nameof(filter.IcmpType));
        }

        if (filter.IcmpCode is [byte code])
        {
            tuple = tuple with { Fields = tuple.Fields | (isIcmpV6 ? TupleFields.IcmpV6Code : TupleFields.IcmpCode), IcmpCode = code };
            covered.Add(nameof(filter.IcmpCode));
        }

        if (filter.IcmpId is [ushort id])
        {
            tuple = tuple with { Fields = tuple.Fields | (isIcmpV6 ? TupleFields.IcmpV6Id : TupleFields.IcmpId), IcmpId = id };
            covered.Add(nameof(filter.IcmpId));
        }

        return tuple;
    }

    private static void Cover(
        TupleFilter tuple, HashSet<string> covered, string source, string destination, TupleFields sourceField, TupleFields destinationField)
    {
        if (tuple.Fields.HasFlag(sourceField))
            covered.Add(source);
        if (tuple.Fields.HasFlag(destinationField))
            covered.Add(destination);
    }

    private static uint? SingleIPv4(IReadOnlyList<AddressPrefix> prefixes) =>
        prefixes is [{ Family: IPFamily.IPv4, IsSingleAddress: true } prefix] ? (uint)prefix.Address.Low : null;

    private static ushort? Single(IReadOnlyList<PortRange> ranges) =>
        ranges is [var range] && range.First == range.Last ? range.First : null;
}
