using System.Runtime.InteropServices;
using ConntrackPS.Netlink;
using static System.Buffers.Binary.BinaryPrimitives;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Reads the tuples that nearly all entries have: two addresses, a protocol and two ports, in the order in which
/// the kernel writes them. All others, and what is broken, it leaves to <see cref="TupleCodec"/>.</summary>
/// <remarks>Where the attributes' headers are the expected ones, the values stand at known places.</remarks>
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
    /// <returns>False where it is not such a tuple.</returns>
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
