using System.Runtime.InteropServices;
using ConntrackPS.Netlink;
using static System.Buffers.Binary.BinaryPrimitives;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Reads and writes tuples: CTA_TUPLE_IP, CTA_TUPLE_PROTO, CTA_TUPLE_ZONE.</summary>
internal static class TupleCodec
{
    /// <summary>Reads a tuple. Unknown attributes are skipped.</summary>
    /// <param name="attributes">The nest's attributes.</param>
    /// <param name="zone">CTA_TUPLE_ZONE, if this direction has its own zone.</param>
    public static ConntrackTuple Read(AttributeReader attributes, out ushort? zone)
    {
        zone = null;
        RawTuple tuple = default;
        while (attributes.Read())
        {
            switch ((TupleAttribute)attributes.Type)
            {
                case TupleAttribute.Ip:
                    ReadAddresses(attributes.Nested, ref tuple);
                    break;
                case TupleAttribute.Proto:
                    ReadProtocol(attributes.Nested, ref tuple);
                    break;
                case TupleAttribute.Zone:
                    zone = attributes.UInt16;
                    break;
            }
        }

        return new ConntrackTuple
        {
            Family = tuple.Family,
            Protocol = tuple.Protocol,
            HasPorts = tuple.HasPorts,
            SourcePort = tuple.SourcePort,
            DestinationPort = tuple.DestinationPort,
            Source = tuple.Source,
            Destination = tuple.Destination,
        };
    }

    /// <summary>Writes a tuple as a nest of the given type.</summary>
    public static void Write(ref MessageWriter writer, EntryAttribute type, in ConntrackTuple tuple, ushort? zone = null) =>
        Write(ref writer, (ushort)type, tuple, zone);

    /// <summary>Writes a tuple as a nest with a type of another enum.</summary>
    /// <exception cref="IncompleteTupleException">The tuple is incomplete. No request may have zeros for unknown values, so this is checked
    /// here as a last step too.</exception>
    public static void Write(ref MessageWriter writer, ushort type, in ConntrackTuple tuple, ushort? zone = null)
    {
        IncompleteTupleException.ThrowIfIncomplete(tuple);
        MessageWriter.Nest nest = writer.BeginNest(type);
        WriteAddresses(ref writer, tuple);
        WriteProtocol(ref writer, tuple);
        if (zone is { } directional)
            writer.PutUInt16((ushort)TupleAttribute.Zone, directional);
        writer.EndNest(nest);
    }

    private static void ReadAddresses(AttributeReader attributes, ref RawTuple tuple)
    {
        while (attributes.Read())
        {
            switch ((AddressAttribute)attributes.Type)
            {
                case AddressAttribute.V4Src:
                    tuple.Family = IPFamily.IPv4;
                    tuple.Source = new AddressBits(0, attributes.UInt32);
                    break;
                case AddressAttribute.V4Dst:
                    tuple.Family = IPFamily.IPv4;
                    tuple.Destination = new AddressBits(0, attributes.UInt32);
                    break;
                case AddressAttribute.V6Src:
                    tuple.Family = IPFamily.IPv6;
                    tuple.Source = AddressBits.FromBytes(attributes.Value);
                    break;
                case AddressAttribute.V6Dst:
                    tuple.Family = IPFamily.IPv6;
                    tuple.Destination = AddressBits.FromBytes(attributes.Value);
                    break;
            }
        }
    }

    private static void ReadProtocol(AttributeReader attributes, ref RawTuple tuple)
    {
        while (attributes.Read())
        {
            switch ((ProtocolAttribute)attributes.Type)
            {
                case ProtocolAttribute.Num:
                    tuple.Protocol = (IPProtocol)attributes.Byte;
                    continue;
                case ProtocolAttribute.SrcPort:
                case ProtocolAttribute.IcmpId:
                case ProtocolAttribute.Icmpv6Id:
                    tuple.SourcePort = attributes.UInt16;
                    break;
                case ProtocolAttribute.DstPort:
                    tuple.DestinationPort = attributes.UInt16;
                    break;
                case ProtocolAttribute.IcmpType:
                case ProtocolAttribute.Icmpv6Type:
                    tuple.DestinationPort |= (ushort)(attributes.Byte << 8);
                    break;
                case ProtocolAttribute.IcmpCode:
                case ProtocolAttribute.Icmpv6Code:
                    tuple.DestinationPort |= attributes.Byte;
                    break;
                default:
                    continue;
            }

            tuple.HasPorts = true;
        }
    }

    private static void WriteAddresses(ref MessageWriter writer, in ConntrackTuple tuple)
    {
        Span<byte> address = stackalloc byte[16];
        bool isIPv6 = tuple.Family == IPFamily.IPv6;
        MessageWriter.Nest nest = writer.BeginNest((ushort)TupleAttribute.Ip);
        int length = tuple.Source.CopyTo(tuple.Family, address);
        writer.Put((ushort)(isIPv6 ? AddressAttribute.V6Src : AddressAttribute.V4Src), address[..length]);
        length = tuple.Destination.CopyTo(tuple.Family, address);
        writer.Put((ushort)(isIPv6 ? AddressAttribute.V6Dst : AddressAttribute.V4Dst), address[..length]);
        writer.EndNest(nest);
    }

    private static void WriteProtocol(ref MessageWriter writer, in ConntrackTuple tuple)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)TupleAttribute.Proto);
        writer.PutByte((ushort)ProtocolAttribute.Num, (byte)tuple.Protocol);
        if (tuple.IsIcmp)
        {
            bool isIcmpV6 = tuple.Protocol == IPProtocol.IcmpV6;
            writer.PutUInt16((ushort)(isIcmpV6 ? ProtocolAttribute.Icmpv6Id : ProtocolAttribute.IcmpId), tuple.SourcePort);
            writer.PutByte((ushort)(isIcmpV6 ? ProtocolAttribute.Icmpv6Type : ProtocolAttribute.IcmpType), (byte)(tuple.DestinationPort >> 8));
            writer.PutByte((ushort)(isIcmpV6 ? ProtocolAttribute.Icmpv6Code : ProtocolAttribute.IcmpCode), (byte)tuple.DestinationPort);
        }
        else if (tuple.HasPorts)
        {
            writer.PutUInt16((ushort)ProtocolAttribute.SrcPort, tuple.SourcePort);
            writer.PutUInt16((ushort)ProtocolAttribute.DstPort, tuple.DestinationPort);
        }

        writer.EndNest(nest);
    }

    private struct RawTuple
    {
        public IPFamily Family;
        public IPProtocol Protocol;
        public bool HasPorts;
        public ushort SourcePort;
        public ushort DestinationPort;
        public AddressBits Source;
        public AddressBits Destination;
    }
}

/// <summary>Reads the tuples of nearly all entries: two addresses, a protocol and two ports, in the order in which the kernel writes them.
/// Returns false for other or malformed tuples, which <see cref="TupleCodec"/> handles.</summary>
/// <remarks>If the attribute headers are the expected ones, the values are at fixed offsets.</remarks>
internal static class PlainTuple
{
    private const int IPv4Length = 20, IPv6Length = 44, ProtoLength = 28;

    private static uint IPv4 => AttributeHeader.Word(IPv4Length, (ushort)TupleAttribute.Ip | NetlinkProtocol.NestedFlag);

    private static uint V4Src => AttributeHeader.Word(8, (ushort)AddressAttribute.V4Src);

    private static uint V4Dst => AttributeHeader.Word(8, (ushort)AddressAttribute.V4Dst);

    private static uint IPv6 => AttributeHeader.Word(IPv6Length, (ushort)TupleAttribute.Ip | NetlinkProtocol.NestedFlag);

    private static uint V6Src => AttributeHeader.Word(20, (ushort)AddressAttribute.V6Src);

    private static uint V6Dst => AttributeHeader.Word(20, (ushort)AddressAttribute.V6Dst);

    private static uint Proto => AttributeHeader.Word(ProtoLength, (ushort)TupleAttribute.Proto | NetlinkProtocol.NestedFlag);

    private static uint Num => AttributeHeader.Word(5, (ushort)ProtocolAttribute.Num);

    private static uint SrcPort => AttributeHeader.Word(6, (ushort)ProtocolAttribute.SrcPort);

    private static uint DstPort => AttributeHeader.Word(6, (ushort)ProtocolAttribute.DstPort);

    /// <summary>Reads a tuple.</summary>
    /// <returns>False if the tuple has another form.</returns>
    public static bool TryRead(ReadOnlySpan<byte> nest, out ConntrackTuple tuple)
    {
        if (nest.Length == IPv4Length + ProtoLength && HasPorts(nest[IPv4Length..])
            && Header(nest) == IPv4 && Header(nest[4..]) == V4Src && Header(nest[12..]) == V4Dst)
        {
            tuple = Combine(
                IPFamily.IPv4,
                new AddressBits(0, ReadUInt32BigEndian(nest[8..])),
                new AddressBits(0, ReadUInt32BigEndian(nest[16..])),
                nest[IPv4Length..]);
            return true;
        }

        if (nest.Length == IPv6Length + ProtoLength && HasPorts(nest[IPv6Length..])
            && Header(nest) == IPv6 && Header(nest[4..]) == V6Src && Header(nest[24..]) == V6Dst)
        {
            tuple = Combine(
                IPFamily.IPv6,
                new AddressBits(ReadUInt64BigEndian(nest[8..]), ReadUInt64BigEndian(nest[16..])),
                new AddressBits(ReadUInt64BigEndian(nest[28..]), ReadUInt64BigEndian(nest[36..])),
                nest[IPv6Length..]);
            return true;
        }

        tuple = default;
        return false;
    }

    private static bool HasPorts(ReadOnlySpan<byte> proto) =>
        Header(proto) == Proto && Header(proto[4..]) == Num && Header(proto[12..]) == SrcPort && Header(proto[20..]) == DstPort;

    private static ConntrackTuple Combine(IPFamily family, AddressBits source, AddressBits destination, ReadOnlySpan<byte> proto) =>
        new()
        {
            Family = family,
            Protocol = (IPProtocol)proto[8],
            HasPorts = true,
            SourcePort = ReadUInt16BigEndian(proto[16..]),
            DestinationPort = ReadUInt16BigEndian(proto[24..]),
            Source = source,
            Destination = destination,
        };

    private static uint Header(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<uint>(bytes);
}
