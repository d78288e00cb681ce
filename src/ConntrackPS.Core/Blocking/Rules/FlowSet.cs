using System.Buffers.Binary;
using ConntrackPS.Blocking.Wire;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Rules;

/// <summary>How flows of a kind are told by their packets: a set of whole tuples, and the rule that looks packets up in it.
/// </summary>
/// <param name="Family">The address family.</param>
/// <param name="Parts">What a packet has besides addresses and protocol.</param>
internal readonly record struct FlowSet(IPFamily Family, FlowParts Parts)
{
    private const int MaximumKeyLength = 44;

    /// <summary>The set that tells a flow; null where no packet shows what tells it from others: the keys of PPTP.</summary>
    public static FlowSet? Of(in ConntrackTuple tuple)
    {
        if (tuple.IsIcmp)
            return tuple.HasPorts ? new FlowSet(tuple.Family, FlowParts.Icmp) : null;
        if (tuple.Protocol == IPProtocol.Gre)
            return tuple.SourcePort == 0 && tuple.DestinationPort == 0 ? new FlowSet(tuple.Family, FlowParts.None) : null;
        return new FlowSet(tuple.Family, tuple.HasPorts ? FlowParts.Ports : FlowParts.None);
    }

    /// <summary>The set's name in the block's table.</summary>
    public string Name => (Parts switch
    {
        FlowParts.Ports => "flows",
        FlowParts.Icmp => "icmp-flows",
        _ => "portless-flows",
    }) + (Family == IPFamily.IPv6 ? "6" : "");

    public ElementType Type
    {
        get
        {
            ElementType address = Family == IPFamily.IPv6 ? ElementType.IPv6Address : ElementType.IPv4Address;
            ElementType[] both = [address, address, ElementType.Protocol];
            return ElementType.Concat(Parts == FlowParts.None ? both : [.. both, ElementType.Service, ElementType.Service]);
        }
    }

    /// <summary>Adds a tuple to a list of the set's elements.</summary>
    public void WriteElement(ref MessageWriter writer, in ConntrackTuple tuple)
    {
        Span<byte> key = stackalloc byte[MaximumKeyLength];
        key.Clear();
        int length = tuple.Source.CopyTo(Family, key);
        length += tuple.Destination.CopyTo(Family, key[length..]);

        // Each field fills whole registers of 4 bytes.
        key[length] = (byte)tuple.Protocol;
        length += sizeof(uint);
        if (Parts != FlowParts.None)
        {
            BinaryPrimitives.WriteUInt16BigEndian(key[length..], tuple.SourcePort);
            BinaryPrimitives.WriteUInt16BigEndian(key[(length + sizeof(uint))..], tuple.DestinationPort);
            length += 2 * sizeof(uint);
        }

        NftWriter.Element(ref writer, key[..length]);
    }

    /// <summary>Writes the rule's conditions: a packet's tuple is in the set.</summary>
    public void WriteLookup(ref MessageWriter writer)
    {
        new FamilyCondition(Family).Write(ref writer);
        ExpressionWriter.LoadMeta(ref writer, MetaKey.L4proto);
        byte icmp = (byte)(Family == IPFamily.IPv6 ? IPProtocol.IcmpV6 : IPProtocol.Icmp);
        ExpressionWriter.Compare(ref writer, Parts == FlowParts.Icmp ? CompareOperator.Eq : CompareOperator.Neq, [icmp]);

        uint register = (uint)NftRegister.First;
        foreach (HeaderField address in (HeaderField[])[HeaderField.Address(Family, isSource: true), HeaderField.Address(Family, isSource: false)])
        {
            ExpressionWriter.LoadPayload(ref writer, address.Header, address.Offset, address.Type.Length, register);
            register += (uint)ElementType.Registers(address.Type.Length);
        }

        ExpressionWriter.LoadMeta(ref writer, MetaKey.L4proto, register++);
        if (Parts != FlowParts.None)
        {
            // ICMP and ICMPv6: type, code, checksum, id (RFC 792, RFC 4443); a tuple has the id as its source's port.
            (int source, int destination) = Parts == FlowParts.Icmp ? (4, 0) : (0, 2);
            ExpressionWriter.LoadPayload(ref writer, PayloadBase.TransportHeader, source, sizeof(ushort), register++);
            ExpressionWriter.LoadPayload(ref writer, PayloadBase.TransportHeader, destination, sizeof(ushort), register);
        }

        ExpressionWriter.Lookup(ref writer, Name);
    }
}

/// <summary>What tells flows between the same addresses apart.</summary>
internal enum FlowParts
{
    /// <summary>The protocol alone.</summary>
    None,

    /// <summary>Protocol and ports.</summary>
    Ports,

    /// <summary>Type, code and id.</summary>
    Icmp,
}
