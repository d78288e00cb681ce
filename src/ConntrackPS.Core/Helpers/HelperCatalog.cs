using ConntrackPS.Conntrack;

namespace ConntrackPS.Helpers;

/// <summary>A kind of connection that a helper expects (struct nf_conntrack_expect_policy).</summary>
/// <param name="Name">The kernel's name of the class; "default" for the only class of a helper.</param>
/// <param name="MaximumCount">The number of expectations of this class that one connection may have at the same time.</param>
/// <param name="TimeoutSeconds">Seconds until an expectation expires, unless a module option changes it.</param>
internal readonly record struct ExpectationClass(string Name, int MaximumCount, int TimeoutSeconds);

/// <summary>The facts about one helper of the kernel.</summary>
/// <param name="Name">The name in rules and entries (struct nf_conntrack_helper).</param>
/// <param name="Description">The protocol, and the connections that the helper expects, in one sentence.</param>
/// <param name="Protocols">The layer 4 protocols of the connections that it reads.</param>
/// <param name="Families">The address families of these connections.</param>
/// <param name="Ports">The default ports. Empty for a helper that only another helper attaches.</param>
/// <param name="Module">The module that contains it.</param>
/// <param name="NatModule">The module that translates the addresses it reads. Null for none.</param>
/// <param name="Option">The build option of the module (CONFIG_*).</param>
/// <param name="NatOption">The build option of the NAT module. Null for none.</param>
/// <param name="Classes">The classes of its expectations.</param>
/// <param name="Caution">The risk of using it, in one sentence. Null if it expects only what both peers of a connection agreed on.</param>
internal sealed record HelperDefinition(
    string Name,
    string Description,
    IPProtocol[] Protocols,
    IPFamily[] Families,
    ushort[] Ports,
    string Module,
    string? NatModule,
    string Option,
    string? NatOption,
    IReadOnlyList<ExpectationClass> Classes,
    string? Caution = null)
{
    /// <summary>True for a name of this helper. For further ports of the module the kernel adds a number: ftp-2121, sip-1.</summary>
    public bool Owns(string name) =>
        name == Name || (name.Length > Name.Length + 1 && name.StartsWith(Name, StringComparison.Ordinal) && name[Name.Length] == '-'
            && name.AsSpan(Name.Length + 1).IndexOfAnyExceptInRange('0', '9') < 0);
}

/// <summary>All helpers of Linux, in one table.</summary>
/// <remarks>
/// <para>net/netfilter/nf_conntrack_*.c of Linux 6.x; limits as of 6.18 (older kernels allow 3 for amanda). Helpers in user space (nfnetlink_cthelper) are not in it.</para>
/// <para>The cautions follow "Secure use of iptables and connection tracking helpers" of the netfilter project, RFC 4787 (REQ-10) and RFC
/// 5382 (REQ-6), which recommend to disable all of them except FTP by default.</para>
/// </remarks>
internal static class HelperCatalog
{
    private const string AnyHost = "Any host can use the connection that a client announces, not only the server";
    private const string AnyNeighbour = "Any host of the network can answer, and a program that sends one broadcast opens the port";

    private static readonly IPFamily[] Both = [IPFamily.IPv4, IPFamily.IPv6];
    private static readonly IPFamily[] OnlyIPv4 = [IPFamily.IPv4];

    /// <summary>The helpers, by module.</summary>
    public static IReadOnlyList<HelperDefinition> All { get; } =
    [
        new(
            "ftp", "FTP: expects data connections, active and passive.", [IPProtocol.Tcp], Both, [21],
            "nf_conntrack_ftp", "nf_nat_ftp", "NF_CONNTRACK_FTP", "NF_NAT_FTP", [new("default", 1, 300)]),
        new(
            "tftp", "TFTP: expects the server's answer from another port.", [IPProtocol.Udp], Both, [69],
            "nf_conntrack_tftp", "nf_nat_tftp", "NF_CONNTRACK_TFTP", "NF_NAT_TFTP", [new("default", 1, 300)]),
        new(
            "sip", "SIP: expects the media and the signalling of calls.", [IPProtocol.Udp, IPProtocol.Tcp], Both, [5060],
            "nf_conntrack_sip", "nf_nat_sip", "NF_CONNTRACK_SIP", "NF_NAT_SIP",
            [new("signalling", 1, 180), new("audio", 4, 180), new("video", 4, 180), new("image", 2, 180)],
            "If the module options sip_direct_signalling or sip_direct_media are 0, any host can use the announced ports; many phones work without the helper."),
        new(
            "irc", "IRC: expects chats and files between clients (DCC).", [IPProtocol.Tcp], OnlyIPv4, [6667],
            "nf_conntrack_irc", "nf_nat_irc", "NF_CONNTRACK_IRC", "NF_NAT_IRC", [new("default", 8, 300)], AnyHost + "."),
        new(
            "RAS", "H.323: reads the registration at a gatekeeper, and expects calls.", [IPProtocol.Udp], Both, [1719],
            "nf_conntrack_h323", "nf_nat_h323", "NF_CONNTRACK_H323", "NF_NAT_H323", [new("default", 32, 240)],
            "If the module option gkrouted_only is 0, any host can call a registered endpoint."),
        new(
            "Q.931", "H.323: reads the signalling of calls, and expects their media and control.", [IPProtocol.Tcp], Both, [1720],
            "nf_conntrack_h323", "nf_nat_h323", "NF_CONNTRACK_H323", "NF_NAT_H323", [new("default", 20, 240)],
            "The peer of a call chooses the ports that it opens, in a binary format that is hard to check."),
        new(
            "H.245", "H.323: reads the control connections of calls, and expects their media.", [IPProtocol.Tcp], Both, [],
            "nf_conntrack_h323", "nf_nat_h323", "NF_CONNTRACK_H323", "NF_NAT_H323", [new("default", 18, 240)],
            "The peer of a call chooses the ports that it opens, in a binary format that is hard to check."),
        new(
            "pptp", "PPTP: expects the GRE tunnels of a call.", [IPProtocol.Tcp], OnlyIPv4, [1723],
            "nf_conntrack_pptp", "nf_nat_pptp", "NF_CONNTRACK_PPTP", "NF_NAT_PPTP", [new("default", 2, 300)]),
        new(
            "snmp", "SNMP: expects answers to broadcasts.", [IPProtocol.Udp], OnlyIPv4, [161],
            "nf_conntrack_snmp", "nf_nat_snmp_basic", "NF_CONNTRACK_SNMP", "NF_NAT_SNMP_BASIC", [new("default", 1, 30)], AnyNeighbour + "."),
        new(
            "amanda", "Amanda: expects the data connections of a backup.", [IPProtocol.Udp], Both, [10080],
            "nf_conntrack_amanda", "nf_nat_amanda", "NF_CONNTRACK_AMANDA", "NF_NAT_AMANDA", [new("default", 4, 180)]),
        new(
            "netbios-ns", "NetBIOS names: expects answers to broadcasts.", [IPProtocol.Udp], OnlyIPv4, [137],
            "nf_conntrack_netbios_ns", null, "NF_CONNTRACK_NETBIOS_NS", null, [new("default", 1, 3)], AnyNeighbour + "."),
        new(
            "sane", "SANE: expects the data connection of a scanner.", [IPProtocol.Tcp], Both, [6566],
            "nf_conntrack_sane", null, "NF_CONNTRACK_SANE", null, [new("default", 1, 300)]),
    ];

    /// <summary>The helper that a name of the kernel belongs to. Null if it is not in the table.</summary>
    public static HelperDefinition? Find(string name) => All.FirstOrDefault(definition => definition.Owns(name));
}
