using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Flows of every protocol and both families, some with translation. No two have the same tuple in either direction; RandomTable
/// crosses some.</summary>
internal sealed class RandomTuples(Random random)
{
    private static readonly int[] GenericProtocols = [0, 2, 4, 33, 41, 50, 51, 89, 103, 112, 115, 200, 253, 255];
    private static readonly int[] IcmpTypes = [8, 0, 13, 14, 15, 16, 17, 18];
    private static readonly int[] IcmpV6Types = [128, 129, 139, 140];

    // Addresses that are easy to parse or format wrongly.
    private static readonly string[] OddIPv6Addresses =
    [
        "::", "::1", "::ffff:192.0.2.33", "::192.0.2.33", "64:ff9b::c000:221", "2001:db8:0:1:1:1:1:1",
        "2001:db8::1:0:0:1", "2001:0:0:1::1", "fe80::5efe:c000:221", "ff02::1:ff00:42", "2001:db8:1:2:3:4:5:0",
    ];

    private int _serial;

    public ConntrackEntry Next()
    {
        _serial++;
        ConntrackEntry entry = (_serial % 10) switch
        {
            0 or 1 or 2 => WithPorts(IPProtocol.Tcp),
            3 => WithPorts(IPProtocol.Udp),
            4 => WithPorts(IPProtocol.UdpLite),
            5 => WithPorts(IPProtocol.Sctp),
            6 => WithPorts(IPProtocol.Gre),
            7 => Icmp(IPProtocol.Icmp, IcmpTypes),
            8 => Icmp(IPProtocol.IcmpV6, IcmpV6Types),
            _ => Generic(),
        };
        if (random.Next(3) == 0)
            Translate(entry);
        return entry;
    }

    private ConntrackEntry WithPorts(IPProtocol protocol)
    {
        bool isIPv6 = IsIPv6();
        return Entries.Make(protocol, Source(isIPv6), Port(), Destination(isIPv6), Port());
    }

    private ConntrackEntry Icmp(IPProtocol protocol, int[] types)
    {
        bool isIPv6 = protocol == IPProtocol.IcmpV6;
        int type = types[random.Next(types.Length)];
        return Entries.Make(protocol, Source(isIPv6), Port(), Destination(isIPv6), type << 8 | random.Next(4));
    }

    private ConntrackEntry Generic()
    {
        bool isIPv6 = IsIPv6();
        return Entries.Generic((IPProtocol)GenericProtocols[random.Next(GenericProtocols.Length)], Source(isIPv6), Destination(isIPv6));
    }

    private void Translate(ConntrackEntry entry)
    {
        bool isIPv6 = entry.AddressFamily == IPFamily.IPv6;
        int which = random.Next(1, 4);

        // The kernel never changes a GRE key, except for the PPTP helper.
        bool isGre = entry.Protocol == IPProtocol.Gre;
        if ((which & 1) != 0)
            entry.WithSourceNat(isIPv6 ? $"2001:db8:5::{_serial:x}" : $"172.16.{_serial >> 8}.{_serial & 255}", isGre ? entry.Original.SourcePort : Port());
        if ((which & 2) != 0)
            entry.WithDestinationNat(isIPv6 ? $"2001:db8:d::{_serial:x}" : $"192.168.{_serial >> 8}.{_serial & 255}", isGre ? entry.Original.DestinationPort : Port());
    }

    private bool IsIPv6() => random.Next(2) == 0;

    private int Port() => random.Next(1, 65536);

    private string Source(bool isIPv6) =>
        isIPv6
            ? $"2001:db8:{random.Next(65536):x}::{random.Next(65536):x}:{_serial:x}"
            : $"10.{random.Next(256)}.{_serial >> 8}.{_serial & 255}";

    private string Destination(bool isIPv6)
    {
        if (!isIPv6)
            return $"198.51.{random.Next(256)}.{random.Next(256)}";
        return random.Next(3) == 0
            ? OddIPv6Addresses[random.Next(OddIPv6Addresses.Length)]
            : $"2001:db8:ffff:{random.Next(65536):x}:{random.Next(65536):x}::{random.Next(65536):x}";
    }
}
