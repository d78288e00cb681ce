using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>A layer 4 protocol by its IANA number (linux/in.h, IPPROTO_*). Numbers without a member are valid too.</summary>
public enum IPProtocol : byte
{
    /// <summary>IPPROTO_IP, which connection tracking calls generic.</summary>
    Ip = 0,

    /// <summary>IPPROTO_ICMP.</summary>
    Icmp = 1,

    /// <summary>IPPROTO_IGMP.</summary>
    Igmp = 2,

    /// <summary>IPPROTO_IPIP: IPv4 in IP.</summary>
    IpIp = 4,

    /// <summary>IPPROTO_TCP.</summary>
    Tcp = 6,

    /// <summary>IPPROTO_UDP.</summary>
    Udp = 17,

    /// <summary>IPPROTO_DCCP.</summary>
    Dccp = 33,

    /// <summary>IPPROTO_IPV6: IPv6 in IP.</summary>
    IPv6 = 41,

    /// <summary>IPPROTO_GRE.</summary>
    Gre = 47,

    /// <summary>IPPROTO_ESP.</summary>
    Esp = 50,

    /// <summary>IPPROTO_AH.</summary>
    Ah = 51,

    /// <summary>IPPROTO_ICMPV6.</summary>
    IcmpV6 = 58,

    /// <summary>OSPF (IANA 89).</summary>
    Ospf = 89,

    /// <summary>IPPROTO_PIM.</summary>
    Pim = 103,

    /// <summary>VRRP (IANA 112).</summary>
    Vrrp = 112,

    /// <summary>IPPROTO_L2TP.</summary>
    L2tp = 115,

    /// <summary>IPPROTO_SCTP.</summary>
    Sctp = 132,

    /// <summary>IPPROTO_UDPLITE.</summary>
    UdpLite = 136,
}

/// <summary>Protocol names: those of this library, of the kernel, and of /etc/protocols.</summary>
/// <remarks>l4proto_name of net/netfilter/nf_conntrack_standalone.c. proto2str of libnetfilter_conntrack has the same names.</remarks>
public static class ProtocolNames
{
    /// <summary>The form that <see cref="TryParse"/> accepts, for messages.</summary>
    internal const string AcceptedForm = "a name such as tcp, udp, icmp, icmpv6, sctp, udplite, gre, or a number from 0 to 255";

    /// <summary>The name that connection tracking prints for protocols that it doesn't know.</summary>
    internal const string Untracked = "unknown";

    private static readonly Lazy<Dictionary<string, IPProtocol>> SystemNumbers = new(() => ParseFile(NameFile.Read("/", "etc/protocols")));

    /// <summary>The protocols that connection tracking knows, with the most frequent first.</summary>
    private static readonly (IPProtocol Protocol, string Name)[] Tracked =
    [
        .. new[]
        {
            IPProtocol.Tcp, IPProtocol.Udp, IPProtocol.Icmp, IPProtocol.IcmpV6,
            IPProtocol.UdpLite, IPProtocol.Sctp, IPProtocol.Gre, IPProtocol.Dccp,
        }.Select(protocol => (protocol, ToKernel(protocol))),
    ];

    /// <summary>The name that the kernel and conntrack use, or the number.</summary>
    public static string ToKernel(IPProtocol protocol) =>
        Enum.IsDefined(protocol)
            ? protocol.ToString().ToLowerInvariant()
            : ((byte)protocol).ToString(CultureInfo.InvariantCulture);

    /// <summary>The name that connection tracking prints, which is <see cref="Untracked"/> for protocols that it doesn't know.</summary>
    internal static string ToTracked(IPProtocol protocol)
    {
        foreach ((IPProtocol known, string name) in Tracked)
        {
            if (known == protocol)
                return name;
        }

        return Untracked;
    }

    /// <summary>Parses a name as connection tracking or another program prints it, in lower case. Numbers are not accepted.</summary>
    /// <param name="word">The name.</param>
    /// <param name="protocol">Null for <see cref="Untracked"/>, which means many protocols.</param>
    internal static bool TryParsePrinted(ReadOnlySpan<char> word, out IPProtocol? protocol)
    {
        protocol = null;
        foreach ((IPProtocol known, string name) in Tracked)
        {
            if (!word.SequenceEqual(name))
                continue;
            protocol = known;
            return true;
        }

        if (word is Untracked)
            return true;
        if (word.Length == 0 || !char.IsAsciiLetterLower(word[0]) || !TryParseBuiltIn(word.ToString(), out IPProtocol other))
            return false;
        protocol = other;
        return true;
    }

    /// <summary>Parses a name in any case, including those of /etc/protocols, or a number.</summary>
    public static bool TryParse(string text, out IPProtocol protocol)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParseBuiltIn(text, out protocol) || SystemNumbers.Value.TryGetValue(text, out protocol);
    }

    /// <summary>Parses a name or number that means the same on every machine. For text from another machine.</summary>
    internal static bool TryParseBuiltIn(string text, out IPProtocol protocol)
    {
        if (byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
        {
            protocol = (IPProtocol)number;
            return true;
        }

        string name = text.Equals("ipv6-icmp", StringComparison.OrdinalIgnoreCase) ? nameof(IPProtocol.IcmpV6) : text;

        // Enum.TryParse also accepts "icmp,udp", and combines both into one number.
        return Enum.TryParse(name, ignoreCase: true, out protocol) && Enum.IsDefined(protocol)
            && char.IsAsciiLetter(name[0]) && !name.Contains(',', StringComparison.Ordinal);
    }

    /// <summary>Parses the lines of a protocols file: <c>esp 50 IPSEC-ESP # comment</c>. Skips other lines.</summary>
    /// <remarks>protocols(5).</remarks>
    internal static Dictionary<string, IPProtocol> ParseFile(IEnumerable<string> lines)
    {
        Dictionary<string, IPProtocol> numbers = new(StringComparer.OrdinalIgnoreCase);
        foreach (string[] words in NameFile.Words(lines))
        {
            if (words.Length < 2 || !byte.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
                continue;
            foreach (string name in words.Where((_, index) => index != 1))
                numbers.TryAdd(name, (IPProtocol)number);
        }

        return numbers;
    }
}
