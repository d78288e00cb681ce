using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>A field of a packet, or of its entry, that a rule can check.</summary>
/// <param name="Type">The type of its values.</param>
internal abstract record PacketField(ElementType Type)
{
    /// <summary>The field in the language of nft(8).</summary>
    public abstract string Nft { get; }

    /// <summary>Loads the field into the first register.</summary>
    public abstract void Load(ref MessageWriter writer);
}

/// <summary>The layer 4 protocol.</summary>
internal sealed record ProtocolField() : PacketField(ElementType.Protocol)
{
    public override string Nft => "meta l4proto";

    public override void Load(ref MessageWriter writer) => ExpressionWriter.LoadMeta(ref writer, MetaKey.L4proto);
}

/// <summary>Bytes of a packet header.</summary>
internal sealed record HeaderField(ElementType Type, PayloadBase Header, int Offset) : PacketField(Type)
{
    public override string Nft => (Header, Type.Length, Offset) switch
    {
        (PayloadBase.NetworkHeader, 4, 12) => "ip saddr",
        (PayloadBase.NetworkHeader, 4, _) => "ip daddr",
        (PayloadBase.NetworkHeader, _, 8) => "ip6 saddr",
        (PayloadBase.NetworkHeader, _, _) => "ip6 daddr",
        (_, _, 0) => "th sport",
        _ => "th dport",
    };

    public override void Load(ref MessageWriter writer) => ExpressionWriter.LoadPayload(ref writer, Header, Offset, Type.Length);

    /// <summary>The source or destination address in the packet (RFC 791, RFC 8200).</summary>
    public static HeaderField Address(IPFamily family, bool isSource) => family == IPFamily.IPv6
        ? new(ElementType.IPv6Address, PayloadBase.NetworkHeader, isSource ? 8 : 24)
        : new(ElementType.IPv4Address, PayloadBase.NetworkHeader, isSource ? 12 : 16);

    /// <summary>The source or destination port in the packet. All protocols with ports have them at the same offset.</summary>
    public static HeaderField Port(bool isSource) =>
        new(ElementType.Service, PayloadBase.TransportHeader, isSource ? 0 : 2);
}

/// <summary>A field of one of the two tuples of the packet's entry.</summary>
internal sealed record TupleField(ElementType Type, CtKey Key, TupleDirection Direction) : PacketField(Type)
{
    public override string Nft => $"ct {(Direction == TupleDirection.Original ? "original" : "reply")} " + Key switch
    {
        CtKey.SrcIp => "ip saddr",
        CtKey.DstIp => "ip daddr",
        CtKey.SrcIp6 => "ip6 saddr",
        CtKey.DstIp6 => "ip6 daddr",
        CtKey.ProtoSrc => "proto-src",
        _ => "proto-dst",
    };

    public override void Load(ref MessageWriter writer) => ExpressionWriter.LoadCt(ref writer, Key, Direction);

    public static TupleField Address(IPFamily family, TupleDirection direction, bool isSource) => family == IPFamily.IPv6
        ? new(ElementType.IPv6Address, isSource ? CtKey.SrcIp6 : CtKey.DstIp6, direction)
        : new(ElementType.IPv4Address, isSource ? CtKey.SrcIp : CtKey.DstIp, direction);

    /// <summary>A port. For ICMP the id is the source port, and type and code are the destination port. For GRE the key.</summary>
    public static TupleField Port(TupleDirection direction, bool isSource) =>
        new(ElementType.Service, isSource ? CtKey.ProtoSrc : CtKey.ProtoDst, direction);
}
