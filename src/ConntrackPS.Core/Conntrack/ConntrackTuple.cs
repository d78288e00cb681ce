using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>One direction of a connection, as in the kernel's hash key (struct nf_conntrack_tuple).</summary>
public readonly record struct ConntrackTuple
{
    private const string Unknown = "?";

    /// <summary>The address family.</summary>
    public IPFamily Family { get; init; }

    /// <summary>The layer 4 protocol (CTA_PROTO_NUM).</summary>
    public IPProtocol Protocol { get; init; }

    /// <summary>True if the tuple has ports or their equivalent: an ICMP id, a GRE key.</summary>
    public bool HasPorts { get; init; }

    /// <summary>The source port, the GRE key of the source, or the ICMP id.</summary>
    public ushort SourcePort { get; init; }

    /// <summary>The destination port or the GRE key of the destination. For ICMP, the type in the upper byte and the code in the
    /// lower.</summary>
    public ushort DestinationPort { get; init; }

    /// <summary>The source address (CTA_IP_V4_SRC, CTA_IP_V6_SRC).</summary>
    public AddressBits Source { get; init; }

    /// <summary>The destination address (CTA_IP_V4_DST, CTA_IP_V6_DST).</summary>
    public AddressBits Destination { get; init; }

    /// <summary>The parts that a text hides, such as <c>src=x.x.x.x</c>. Tuples of the kernel have none.</summary>
    internal TupleGaps Gaps { get; init; }

    /// <summary>True if a part is unknown that every text of the connection has.</summary>
    internal bool HasGaps => Gaps != TupleGaps.None || Family == IPFamily.Unspecified;

    /// <summary>The source address; null if it is not known.</summary>
    internal string? SourceText => Family == IPFamily.Unspecified || (Gaps & TupleGaps.Source) != 0 ? null : Source.ToString(Family);

    /// <summary>The destination address; null if it is not known.</summary>
    internal string? DestinationText => Family == IPFamily.Unspecified || (Gaps & TupleGaps.Destination) != 0 ? null : Destination.ToString(Family);

    /// <summary>True for ICMP and ICMPv6.</summary>
    internal bool IsIcmp => Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6;

    /// <summary>True for the protocols that always have ports or keys.</summary>
    internal bool MustHavePorts =>
        Protocol is IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.UdpLite or IPProtocol.Sctp or IPProtocol.Gre;

    /// <summary>True for the protocols that have ports or keys on some kernels: DCCP has none if the kernel doesn't track it.</summary>
    internal bool MayHavePorts => MustHavePorts || Protocol == IPProtocol.Dccp;

    /// <summary>True if the tuple has everything that the kernel uses to distinguish flows. Text may omit parts: conntrack's XML has no
    /// ICMP type, code and id. For protocols other than TCP, UDP and ICMP a kernel may use only addresses.</summary>
    internal bool IsWhole => MissingParts is null;

    /// <summary>The missing properties, or null if there are none.</summary>
    internal string? MissingParts => this switch
    {
        { Family: IPFamily.Unspecified } => "SourceAddress, DestinationAddress",
        { Gaps: not TupleGaps.None } => string.Join(", ", NamesOfGaps()),
        { HasPorts: true } => null,
        { IsIcmp: true } or { Protocol: IPProtocol.Tcp or IPProtocol.Udp } => string.Join(", ", TupleNumbers.Of(Protocol).Names),
        _ => null,
    };

    /// <summary>The direction on one line: <c>tcp 192.0.2.1:4000 -> 198.51.100.7:80</c>, with ? for what is not known.</summary>
    public override string ToString()
    {
        string protocol = ProtocolNames.ToKernel(Protocol);
        if (!HasPorts)
            return $"{protocol} {SourceText ?? Unknown} -> {DestinationText ?? Unknown}";
        if (IsIcmp)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{protocol} {SourceText ?? Unknown} -> {DestinationText ?? Unknown} type {DestinationPort >> 8} code {DestinationPort & 0xff} id {SourcePort}");
        return $"{protocol} {SourceEndpoint} -> {DestinationEndpoint}";
    }

    /// <summary>The source address with its port.</summary>
    internal string SourceEndpoint => Endpoint(SourceText, SourcePort, TupleGaps.SourcePort);

    /// <summary>The destination address with its port.</summary>
    internal string DestinationEndpoint => Endpoint(DestinationText, DestinationPort, TupleGaps.DestinationPort);

    /// <summary>The ICMP id is not shown behind an address.</summary>
    private string Endpoint(string? address, ushort port, TupleGaps gap)
    {
        if (!HasPorts || IsIcmp)
            return address ?? Unknown;
        string number = (Gaps & gap) != 0 ? Unknown : port.ToString(CultureInfo.InvariantCulture);
        return Family == IPFamily.IPv6 && address is not null ? $"[{address}]:{number}" : $"{address ?? Unknown}:{number}";
    }

    private IEnumerable<string> NamesOfGaps()
    {
        TupleNumbers numbers = TupleNumbers.Of(Protocol);
        if ((Gaps & TupleGaps.Source) != 0)
            yield return "SourceAddress";
        if ((Gaps & TupleGaps.Destination) != 0)
            yield return "DestinationAddress";
        if ((Gaps & TupleGaps.SourcePort) != 0)
            yield return numbers.Source;
        if ((Gaps & TupleGaps.DestinationPort) != 0)
            yield return numbers.Destination;
    }
}

/// <summary>The parts of a tuple that are not known.</summary>
[Flags]
internal enum TupleGaps : byte
{
    None = 0,
    Source = 1 << 0,
    Destination = 1 << 1,
    SourcePort = 1 << 2,
    DestinationPort = 1 << 3,
}

/// <summary>A direction of a connection (enum ip_conntrack_dir).</summary>
public enum TupleDirection
{
    /// <summary>IP_CT_DIR_ORIGINAL: the direction of the first packet.</summary>
    Original,

    /// <summary>IP_CT_DIR_REPLY: the direction of replies.</summary>
    Reply,
}

/// <summary>The values that a protocol has in place of ports, by the names of their properties and filters.</summary>
/// <param name="Source">The value in place of the source port.</param>
/// <param name="Destination">The value in place of the destination port, or in its upper byte.</param>
/// <param name="LowByte">The value in the lower byte of the destination port. Null if Destination has all 16 bits.</param>
internal sealed record TupleNumbers(string Source, string Destination, string? LowByte = null)
{
    /// <summary>Ports. Expectations and masters use these names for all protocols.</summary>
    public static readonly TupleNumbers Ports = new("SourcePort", "DestinationPort");

    private static readonly TupleNumbers Icmp = new("IcmpId", "IcmpType", "IcmpCode");

    private static readonly TupleNumbers Gre = new("GreSourceKey", "GreDestinationKey");

    /// <summary>The names, in the usual order.</summary>
    public IReadOnlyList<string> Names => LowByte is null ? [Source, Destination] : [Destination, LowByte, Source];

    public static TupleNumbers Of(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Icmp or IPProtocol.IcmpV6 => Icmp,
        IPProtocol.Gre => Gre,
        _ => Ports,
    };

    /// <summary>Sets the numbers of a tuple.</summary>
    /// <param name="tuple">The tuple, with the protocol.</param>
    /// <param name="read">Returns the number with a name, up to a maximum. For null the tuple keeps its own number.</param>
    public ConntrackTuple Fill(ConntrackTuple tuple, Func<string, uint, uint?> read)
    {
        if (LowByte is null)
        {
            uint source = read(Source, ushort.MaxValue) ?? tuple.SourcePort;
            uint destination = read(Destination, ushort.MaxValue) ?? tuple.DestinationPort;
            return tuple with { HasPorts = true, SourcePort = (ushort)source, DestinationPort = (ushort)destination };
        }

        uint high = read(Destination, byte.MaxValue) ?? (uint)tuple.DestinationPort >> 8;
        uint low = read(LowByte, byte.MaxValue) ?? (byte)tuple.DestinationPort;
        uint number = read(Source, ushort.MaxValue) ?? tuple.SourcePort;
        return tuple with { HasPorts = true, SourcePort = (ushort)number, DestinationPort = (ushort)(high << 8 | low) };
    }
}

/// <summary>The tuple of the replies to a tuple's packets, without translation (nf_ct_invert_tuple).</summary>
internal static class TupleInversion
{
    /// <exception cref="FormatException">The ICMP message has no reply.</exception>
    public static ConntrackTuple ReplyTo(in ConntrackTuple tuple) => Invert(tuple)
        ?? throw new FormatException($"Connection tracking knows no reply to ICMP type {tuple.DestinationPort >> 8}.");

    /// <returns>The reply's tuple, or null for an ICMP message that has no reply.</returns>
    public static ConntrackTuple? Invert(in ConntrackTuple tuple)
    {
        ConntrackTuple swapped = tuple with
        {
            Source = tuple.Destination,
            Destination = tuple.Source,
            Gaps = Swap(tuple.Gaps, TupleGaps.Source, TupleGaps.Destination),
        };
        if (!tuple.IsIcmp)
        {
            return swapped with
            {
                SourcePort = tuple.DestinationPort,
                DestinationPort = tuple.SourcePort,
                Gaps = Swap(swapped.Gaps, TupleGaps.SourcePort, TupleGaps.DestinationPort),
            };
        }

        return ReplyType(tuple.Protocol, (byte)(tuple.DestinationPort >> 8)) is { } type
            ? swapped with { DestinationPort = (ushort)(type << 8 | (tuple.DestinationPort & 0xff)) }
            : null;
    }

    private static TupleGaps Swap(TupleGaps gaps, TupleGaps one, TupleGaps other) =>
        (gaps & (one | other)) is var both && (both == one || both == other) ? gaps ^ (one | other) : gaps;

    /// <summary>The pairs of ICMP types that connection tracking knows (invmap of nf_conntrack_proto_icmp.c and _icmpv6.c).</summary>
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

/// <summary>An entry lacks values that identify it. The kernel would read the missing values as zeros, and find another entry or create one
/// for a connection that never existed.</summary>
/// <param name="missing">The names of the missing properties, comma-separated.</param>
internal sealed class IncompleteTupleException(string missing) : FormatException($"it has no {missing}.")
{
    /// <summary>The names of the missing properties, comma-separated: <c>IcmpType, IcmpCode, IcmpId</c>.</summary>
    public string Missing { get; } = missing;

    /// <summary>Throws if a tuple is incomplete.</summary>
    /// <param name="tuple">The tuple.</param>
    /// <param name="prefix">The prefix of its property names: Reply, Master or empty.</param>
    /// <exception cref="IncompleteTupleException">The tuple is incomplete.</exception>
    internal static void ThrowIfIncomplete(in ConntrackTuple tuple, string prefix = "")
    {
        if (tuple.MissingParts is { } missing)
            throw new IncompleteTupleException(prefix + missing.Replace(", ", ", " + prefix, StringComparison.Ordinal));
    }
}
