using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

public sealed class LocalAddressesTests(NetworkNamespaceFixture network) : IClassFixture<NetworkNamespaceFixture>
{
    [Fact]
    public void The_addresses_are_those_of_the_namespace()
    {
        network.Exec("ip", "address", "add", "192.0.2.7/24", "dev", "lo");
        network.Exec("ip", "address", "add", "2001:db8::7/64", "dev", "lo", "nodad");
        network.Exec("ip", "route", "add", "local", "198.51.100.0/25", "dev", "lo");
        IReadOnlyList<string> addresses = LocalAddresses.Read(network.Namespace);
        Assert.Equal(
            ["127.0.0.0/8", "127.0.0.1/32", "192.0.2.0/24", "192.0.2.7/32", "198.51.100.0/25", "2001:db8::7/128", "::1/128"],
            addresses.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Lines_that_are_no_local_address_are_skipped()
    {
        Assert.Equal(["10.0.0.1/32"], LocalAddresses.ParseTrie(
        [
            "Main:", "  +-- 0.0.0.0/0 3 0 5", "     |-- 0.0.0.0", "        /0 universe UNICAST", "     |-- 10.0.0.0", "        /24 link UNICAST",
            "     |-- 10.0.0.1", "        /32 host LOCAL", "     |-- 10.0.0.255", "        /32 link BROADCAST", "Local:", "     |-- 10.0.0.1", "        /32 host LOCAL",
        ]));
        Assert.Empty(LocalAddresses.ParseList(["", "not an address that has 32 digits, but a text"]));
    }
}
