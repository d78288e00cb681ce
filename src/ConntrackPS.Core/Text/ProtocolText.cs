using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Protocols as connection tracking names them: those it knows, and <c>unknown</c> for all others.</summary>
/// <remarks>l4proto_name of net/netfilter/nf_conntrack_standalone.c; libnetfilter_conntrack's proto2str has the same.</remarks>
internal static class ProtocolText
{
    public const string Unknown = "unknown";

    public static string NameOf(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp => "tcp",
        IPProtocol.Udp => "udp",
        IPProtocol.UdpLite => "udplite",
        IPProtocol.Icmp => "icmp",
        IPProtocol.IcmpV6 => "icmpv6",
        IPProtocol.Sctp => "sctp",
        IPProtocol.Gre => "gre",
        IPProtocol.Dccp => "dccp",
        _ => Unknown,
    };

    /// <summary>True for <c>unknown</c> and every protocol name; the number is null for the first.</summary>
    public static bool TryParseName(ReadOnlySpan<char> word, out IPProtocol? protocol)
    {
        protocol = word switch
        {
            "tcp" => IPProtocol.Tcp,
            "udp" => IPProtocol.Udp,
            "icmp" => IPProtocol.Icmp,
            "icmpv6" => IPProtocol.IcmpV6,
            _ => null,
        };
        if (protocol is not null || word is Unknown)
            return true;
        if (word.Length == 0 || !char.IsAsciiLetterLower(word[0]) || !ProtocolNames.TryParse(word.ToString(), out IPProtocol other))
            return false;
        protocol = other;
        return true;
    }

    /// <summary>What connection tracking tells protocols' flows apart by, beside addresses.</summary>
    public static TupleParts PartsOf(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.UdpLite or IPProtocol.Sctp or IPProtocol.Dccp => TupleParts.Ports,
        IPProtocol.Icmp or IPProtocol.IcmpV6 => TupleParts.Icmp,
        IPProtocol.Gre => TupleParts.Keys,
        _ => TupleParts.None,
    };

    /// <summary>What must be there: a kernel may track all but TCP, UDP and ICMP by address alone.</summary>
    public static TupleParts NeededParts(IPProtocol protocol, TupleParts given) =>
        protocol is IPProtocol.Tcp or IPProtocol.Udp or IPProtocol.Icmp or IPProtocol.IcmpV6 || (given & ~TupleParts.Addresses) != 0
            ? PartsOf(protocol)
            : TupleParts.None;

    /// <summary>True for protocols that connection tracking keeps a state of.</summary>
    public static bool HasState(IPProtocol protocol) => protocol is IPProtocol.Tcp or IPProtocol.Sctp or IPProtocol.Dccp;
}
