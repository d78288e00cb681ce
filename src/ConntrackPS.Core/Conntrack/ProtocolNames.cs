using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>Protocols by name: ours, the kernel's, and those of /etc/protocols.</summary>
/// <remarks>l4proto_name of net/netfilter/nf_conntrack_standalone.c; libnetfilter_conntrack's proto2str has the same.</remarks>
public static class ProtocolNames
{
    /// <summary>What <see cref="TryParse"/> takes, for messages.</summary>
    internal const string AcceptedForm = "a name such as tcp, udp, icmp, icmpv6, sctp, udplite, gre, or a number from 0 to 255";

    /// <summary>What connection tracking prints for protocols that it doesn't know.</summary>
    internal const string Untracked = "unknown";

    /// <summary>The protocols that connection tracking knows, the most frequent first.</summary>
    private static readonly (IPProtocol Protocol, string Name)[] Tracked =
    [
        .. new[]
        {
            IPProtocol.Tcp, IPProtocol.Udp, IPProtocol.Icmp, IPProtocol.IcmpV6,
            IPProtocol.UdpLite, IPProtocol.Sctp, IPProtocol.Gre, IPProtocol.Dccp,
        }.Select(protocol => (protocol, ToKernel(protocol))),
    ];

    /// <summary>The name the kernel and conntrack use, or the number.</summary>
    public static string ToKernel(IPProtocol protocol) =>
        Enum.IsDefined(protocol)
            ? protocol.ToString().ToLowerInvariant()
            : ((byte)protocol).ToString(CultureInfo.InvariantCulture);

    /// <summary>The name as connection tracking prints it: of those it knows, and <see cref="Untracked"/> for all others.</summary>
    internal static string ToTracked(IPProtocol protocol)
    {
        foreach ((IPProtocol known, string name) in Tracked)
        {
            if (known == protocol)
                return name;
        }

        return Untracked;
    }

    /// <summary>Reads a name as connection tracking or another program prints it, in lower case; a number is none.</summary>
    /// <param name="word">The word.</param>
    /// <param name="protocol">Null for <see cref="Untracked"/>, which stands for many.</param>
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
        if (word.Length == 0 || !char.IsAsciiLetterLower(word[0]) || !TryParse(word.ToString(), out IPProtocol other))
            return false;
        protocol = other;
        return true;
    }

    /// <summary>Reads a name in any case, or a number.</summary>
    public static bool TryParse(string text, out IPProtocol protocol)
    {
        if (byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
        {
            protocol = (IPProtocol)number;
            return true;
        }

        string name = text.Equals("ipv6-icmp", StringComparison.OrdinalIgnoreCase) ? nameof(IPProtocol.IcmpV6) : text;

        // Enum.TryParse also takes "icmp,udp", and makes one number of both.
        return Enum.TryParse(name, ignoreCase: true, out protocol) && Enum.IsDefined(protocol)
            && char.IsAsciiLetter(name[0]) && !name.Contains(',', StringComparison.Ordinal);
    }
}
