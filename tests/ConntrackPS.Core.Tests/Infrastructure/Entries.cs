using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Creates entries with the tuples that the kernel would use.</summary>
internal static class Entries
{
    /// <summary>Long enough that nothing expires while tests run.</summary>
    public const uint LongTimeout = 3600;

    /// <summary>An entry without translation, for a protocol with ports or keys.</summary>
    public static ConntrackEntry Make(IPProtocol protocol, string source, int sourcePort, string destination, int destinationPort)
    {
        ConntrackTuple original = Tuple(protocol, source, destination) with
        {
            HasPorts = true,
            SourcePort = (ushort)sourcePort,
            DestinationPort = (ushort)destinationPort,
        };
        return FromOriginal(original);
    }

    public static ConntrackEntry Tcp(string source, int sourcePort, string destination, int destinationPort) =>
        Make(IPProtocol.Tcp, source, sourcePort, destination, destinationPort);

    public static ConntrackEntry Udp(string source, int sourcePort, string destination, int destinationPort) =>
        Make(IPProtocol.Udp, source, sourcePort, destination, destinationPort);

    /// <summary>An ICMP or ICMPv6 request. The reply has the matching type.</summary>
    public static ConntrackEntry Icmp(string source, string destination, int type, int code, int id)
    {
        IPProtocol protocol = source.Contains(':', StringComparison.Ordinal) ? IPProtocol.IcmpV6 : IPProtocol.Icmp;
        return Make(protocol, source, id, destination, (type << 8) | code);
    }

    /// <summary>An entry of a protocol that the kernel tracks only by addresses.</summary>
    public static ConntrackEntry Generic(IPProtocol protocol, string source, string destination) =>
        FromOriginal(Tuple(protocol, source, destination));

    /// <summary>Any entry, for tests that do not check it.</summary>
    public static ConntrackEntry Any() => Tcp("192.0.2.1", 4000, "198.51.100.7", 80);

    public static ConntrackEntry FromOriginal(ConntrackTuple original)
    {
        ConntrackTuple reply = original with { Source = original.Destination, Destination = original.Source };
        reply = original.IsIcmp
            ? reply with { DestinationPort = (ushort)((Answer(original.Protocol, original.DestinationPort >> 8) << 8) | (byte)original.DestinationPort) }
            : reply with { SourcePort = original.DestinationPort, DestinationPort = original.SourcePort };
        return new ConntrackEntry
        {
            Data = new EntryData
            {
                Original = original,
                Reply = reply,
                Status = ConntrackStatus.Confirmed,
                Timeout = LongTimeout,
                Fields = EntryFields.Timeout,
            },
        };
    }

    /// <summary>Translates the source. For ICMP the port is the id. Protocols without ports ignore it.</summary>
    public static ConntrackEntry WithSourceNat(this ConntrackEntry entry, string address, int port = 0)
    {
        entry.Status |= ConntrackStatus.SrcNat;
        entry.Reply = entry.Reply with { Destination = Address(address).Bits };
        if (entry.Reply.IsIcmp)
            entry.Reply = entry.Reply with { SourcePort = (ushort)port };
        else if (entry.Reply.HasPorts)
            entry.Reply = entry.Reply with { DestinationPort = (ushort)port };
        return entry;
    }

    /// <summary>Translates the destination.</summary>
    public static ConntrackEntry WithDestinationNat(this ConntrackEntry entry, string address, int port = 0)
    {
        entry.Status |= ConntrackStatus.DstNat;
        entry.Reply = entry.Reply with { Source = Address(address).Bits };
        if (entry.Reply is { HasPorts: true, IsIcmp: false })
            entry.Reply = entry.Reply with { SourcePort = (ushort)port };
        return entry;
    }

    public static ConntrackEntry WithState(this ConntrackEntry entry, ConntrackState state)
    {
        entry.Data.State = state;
        entry.Fields |= EntryFields.State;
        return entry;
    }

    /// <summary>Sets packets and bytes of the original direction.</summary>
    public static ConntrackEntry WithCounters(this ConntrackEntry entry, ulong packets, ulong bytes)
    {
        (entry.Data.OriginalPackets, entry.Data.OriginalBytes) = (packets, bytes);
        entry.Fields |= EntryFields.OriginalCounters;
        return entry;
    }

    /// <summary>Sets a zone for one direction. The kernel accepts this for only one of them.</summary>
    public static ConntrackEntry WithZone(this ConntrackEntry entry, TupleDirection direction, ushort zone)
    {
        (entry.Data.OriginalZone, entry.Data.ReplyZone) = direction == TupleDirection.Original ? (zone, (ushort)0) : ((ushort)0, zone);
        entry.Fields |= direction == TupleDirection.Original ? EntryFields.OriginalZone : EntryFields.ReplyZone;
        return entry;
    }

    public static (IPFamily Family, AddressBits Bits) Address(string text) =>
        AddressBits.TryParse(text, out IPFamily family, out AddressBits bits) ? (family, bits) : throw new FormatException(text);

    private static ConntrackTuple Tuple(IPProtocol protocol, string source, string destination)
    {
        (IPFamily family, AddressBits from) = Address(source);
        return new ConntrackTuple { Family = family, Protocol = protocol, Source = from, Destination = Address(destination).Bits };
    }

    // The kernel's invmap of nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c.
    private static int Answer(IPProtocol protocol, int type) => (protocol, type) switch
    {
        (IPProtocol.Icmp, 8) => 0,
        (IPProtocol.Icmp, 0) => 8,
        (IPProtocol.IcmpV6, 128 or 139) or (IPProtocol.Icmp, 13 or 15 or 17) => type + 1,
        (IPProtocol.IcmpV6, 129 or 140) or (IPProtocol.Icmp, 14 or 16 or 18) => type - 1,
        _ => type,
    };
}
