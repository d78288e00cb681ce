using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>The addresses of one family that the routes of a network namespace deliver to its own processes.</summary>
/// <param name="Own">The addresses of interfaces and local routes. Packets from one to another use the loopback interface.</param>
/// <param name="Delivered">These, and those of broadcast and multicast.</param>
internal sealed record LocalAddresses(ValueRanges Own, ValueRanges Delivered)
{
    /// <summary>The addresses of each interface, by its name. Empty if they are unknown, and for IPv6.</summary>
    public IReadOnlyDictionary<string, ValueRanges> OfInterface { get; init; } = new Dictionary<string, ValueRanges>();

    private const uint LocalRoute = 0x80000000;
    private const uint AnycastRoute = 0x00100000;

    /// <summary>Reads the addresses of a network namespace, of both families, as prefixes. Addresses that are next to each other are
    /// one.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <returns>Prefixes such as <c>192.0.2.1/32</c>, <c>127.0.0.0/8</c> and <c>2001:db8::1/128</c>. None of a family that can't be read.</returns>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static IReadOnlyList<AddressPrefix> Prefixes(NetworkNamespace? networkNamespace) => NetworkNamespace.RunIn(
        networkNamespace,
        () => (IReadOnlyList<AddressPrefix>)[.. ((IPFamily[])[IPFamily.IPv4, IPFamily.IPv6]).SelectMany(family => Read(family)?.Own.ToPrefixes(family) ?? [])]);

    /// <summary>Reads the addresses of the network namespace of the calling thread.</summary>
    /// <returns>Null if they can't be read.</returns>
    public static LocalAddresses? Read(IPFamily family)
    {
        try
        {
            return family == IPFamily.IPv6
                ? ParseIPv6(File.ReadLines("/proc/thread-self/net/ipv6_route"))
                : ParseIPv4(File.ReadLines("/proc/thread-self/net/fib_trie")) with { OfInterface = ReadInterfaces() };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The IPv4 addresses of each interface of the network namespace of the calling thread (getifaddrs).</summary>
    private static Dictionary<string, ValueRanges> ReadInterfaces()
    {
        try
        {
            return NetworkInterface.GetAllNetworkInterfaces().ToDictionary(
                one => one.Name,
                one => ValueRanges.Of(4, one.GetIPProperties().UnicastAddresses
                    .Where(address => address.Address.AddressFamily == AddressFamily.InterNetwork)
                    .Select(address => Range(address.Address, 32))));
        }
        catch (NetworkInformationException)
        {
            return [];
        }
    }

    /// <summary>Parses fib_trie: each address, then its prefix lengths with the type of the route. All tables are in it.</summary>
    internal static LocalAddresses ParseIPv4(IEnumerable<string> lines)
    {
        List<(UInt128 First, UInt128 Last)> own = [], others = [Range(IPAddress.Parse("224.0.0.0"), 4), Range(IPAddress.Broadcast, 32)];
        IPAddress? address = null;
        foreach (string line in lines)
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is ["|--", var text])
                address = IPAddress.Parse(text);
            else if (words is [['/', .. var length], _, "LOCAL" or "BROADCAST" or "ANYCAST", ..] && address is not null)
                (words[2] == "LOCAL" ? own : others).Add(Range(address, int.Parse(length, CultureInfo.InvariantCulture)));
        }

        return Of(4, own, others);
    }

    /// <summary>Parses ipv6_route: the destination and its prefix length, and the flags (RTF_* of linux/ipv6_route.h), in hexadecimal.</summary>
    internal static LocalAddresses ParseIPv6(IEnumerable<string> lines)
    {
        List<(UInt128 First, UInt128 Last)> own = [], others = [Range(IPAddress.Parse("ff00::"), 8)];
        foreach (string line in lines)
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            uint flags = words.Length < 9 ? 0 : uint.Parse(words[8], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if ((flags & (LocalRoute | AnycastRoute)) != 0)
                ((flags & LocalRoute) != 0 ? own : others).Add(Range(new IPAddress(Convert.FromHexString(words[0])), int.Parse(words[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
        }

        return Of(16, own, others);
    }

    private static LocalAddresses Of(int length, List<(UInt128 First, UInt128 Last)> own, List<(UInt128 First, UInt128 Last)> others) =>
        new(ValueRanges.Of(length, own), ValueRanges.Of(length, own.Concat(others)));

    private static (UInt128 First, UInt128 Last) Range(IPAddress address, int prefix)
    {
        byte[] bytes = address.GetAddressBytes();
        UInt128 hosts = prefix == 0 ? UInt128.MaxValue >> (128 - 8 * bytes.Length) : (UInt128.One << (8 * bytes.Length - prefix)) - 1;
        UInt128 first = ValueRanges.NumberOf(bytes) & ~hosts;
        return (first, first | hosts);
    }
}
