using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>Protocols by name: ours, the kernel's, and those of /etc/protocols.</summary>
public static class ProtocolNames
{
    /// <summary>What <see cref="TryParse"/> takes, for messages.</summary>
    public const string AcceptedForm = "a name such as tcp, udp, icmp, icmpv6, sctp, udplite, gre, or a number from 0 to 255";

    /// <summary>The name the kernel and conntrack use, or the number.</summary>
    public static string ToKernel(IPProtocol protocol) =>
        Enum.IsDefined(protocol)
            ? protocol.ToString().ToLowerInvariant()
            : ((byte)protocol).ToString(CultureInfo.InvariantCulture);

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
