using ConntrackPS.Rules;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Rules;

public sealed class LocalAddressesTests(NetworkNamespaceFixture network) : IClassFixture<NetworkNamespaceFixture>
{
    [Fact]
    public void The_addresses_are_those_of_the_namespace()
    {
        network.Exec("ip", "address", "add", "192.0.2.7/24", "dev", "lo");
        network.Exec("ip", "address", "add", "2001:db8::7/64", "dev", "lo", "nodad");
        network.Exec("ip", "route", "add", "local", "198.51.100.0/25", "dev", "lo");
        IEnumerable<string> addresses = LocalAddresses.Prefixes(network.Namespace).Select(prefix => prefix.ToString());
        Assert.Equal(
            ["127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/25", "2001:db8::7", "::1"],
            addresses.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Lines_that_are_no_local_address_are_skipped()
    {
        Assert.Equal("10.0.0.1", LocalAddresses.ParseIPv4(
        [
            "Main:", "  +-- 0.0.0.0/0 3 0 5", "     |-- 0.0.0.0", "        /0 universe UNICAST", "     |-- 10.0.0.0", "        /24 link UNICAST",
            "     |-- 10.0.0.1", "        /32 host LOCAL", "     |-- 10.0.0.255", "        /32 link BROADCAST", "Local:", "     |-- 10.0.0.1", "        /32 host LOCAL",
        ]).Own.ToNft());
        Assert.True(LocalAddresses.ParseIPv6(["", "not a route, which has ten columns"]).Own.IsEmpty);
    }
}
