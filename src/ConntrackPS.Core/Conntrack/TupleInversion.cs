namespace ConntrackPS.Conntrack;

/// <summary>The tuple of the replies to a tuple's packets, without translation (nf_ct_invert_tuple).</summary>
internal static class TupleInversion
{
    /// <exception cref="FormatException">An ICMP message that has no reply.</exception>
    public static ConntrackTuple ReplyTo(in ConntrackTuple tuple) => Invert(tuple)
        ?? throw new FormatException($"Connection tracking knows no reply to ICMP type {tuple.DestinationPort >> 8}.");

    /// <returns>The reply's tuple, or null for an ICMP message that has no reply.</returns>
    public static ConntrackTuple? Invert(in ConntrackTuple tuple)
    {
        ConntrackTuple swapped = tuple with { Source = tuple.Destination, Destination = tuple.Source };
        if (!tuple.IsIcmp)
            return swapped with { SourcePort = tuple.DestinationPort, DestinationPort = tuple.SourcePort };
        return ReplyType(tuple.Protocol, (byte)(tuple.DestinationPort >> 8)) is { } type
            ? swapped with { DestinationPort = (ushort)(type << 8 | (tuple.DestinationPort & 0xff)) }
            : null;
    }

    /// <summary>The types that connection tracking pairs (invmap of nf_conntrack_proto_icmp.c and _icmpv6.c).</summary>
    private static byte? ReplyType(IPProtocol protocol, byte type) => (protocol, type) switch
    {
        (IPProtocol.Icmp, 8) => 0,
        (IPProtocol.Icmp, 0) => 8,
        (IPProtocol.Icmp, 13) => 14,
        (IPProtocol.Icmp, 14) => 13,
        (IPProtocol.Icmp, 15) => 16,
        (IPProtocol.Icmp, 16) => 15,
        (IPProtocol.Icmp, 17) => 18,
        (IPProtocol.Icmp, 18) => 17,
        (IPProtocol.IcmpV6, 128) => 129,
        (IPProtocol.IcmpV6, 129) => 128,
        (IPProtocol.IcmpV6, 139) => 140,
        (IPProtocol.IcmpV6, 140) => 139,
        _ => null,
    };
}
