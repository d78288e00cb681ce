using System.Reflection;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Blocking;

/// <summary>Addresses that sshd or a user writes in IPv4-mapped form (RFC 4291, 2.5.5.2): in packets and in the table the connection is
/// IPv4.</summary>
public sealed class SshGuardTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    private const string Plain = "192.0.2.50 50022 198.51.100.7 22";
    private const string Mapped = "::ffff:192.0.2.50 50022 ::ffff:198.51.100.7 22";

    [Theory]
    [InlineData(Plain, "192.0.2.50", true)]
    [InlineData(Mapped, "192.0.2.50", true)]
    [InlineData(Mapped, "192.0.2.0/24", true)]
    [InlineData(Plain, "::ffff:192.0.2.50", true)]
    [InlineData(Mapped, "::ffff:192.0.2.50", true)]
    [InlineData(Plain, "::ffff:192.0.2.0/120", true)]
    [InlineData(Plain, "::ffff:0:0/96", true)]
    [InlineData(Mapped, "::ffff:192.0.2.51", false)]
    [InlineData(Mapped, "192.0.2.51", false)]
    [InlineData(Plain, "::192.0.2.50", false)]
    [InlineData(Plain, "64:ff9b::192.0.2.50", false)]
    [InlineData(Plain, "::/1", false)]
    [InlineData(Plain, "::ffff:0:0/95", false)]
    public void It_knows_the_client_in_either_form(string connection, string prefix, bool isOwn)
    {
        AddressPrefix[] prefixes = [AddressPrefix.Parse(prefix)];
        Check(connection, isOwn, new ConntrackFilter { SourceAddress = prefixes });
        Check(connection, isOwn, new ConntrackFilter { Address = prefixes });
        Check(connection, isOwn, new ConntrackFilter { ReplyDestinationAddress = prefixes });
    }

    [Theory]
    [InlineData(Mapped, "198.51.100.7")]
    [InlineData(Plain, "::ffff:198.51.100.7")]
    [InlineData("::ffff:192.0.2.50 50022 198.51.100.7 22", "198.51.100.0/24")]
    public void It_knows_the_server_in_either_form(string connection, string prefix)
    {
        AddressPrefix[] prefixes = [AddressPrefix.Parse(prefix)];
        Check(connection, true, new ConntrackFilter { DestinationAddress = prefixes });
        Check(connection, true, new ConntrackFilter { ReplySourceAddress = prefixes });
        Check(connection, false, new ConntrackFilter { SourceAddress = prefixes });
    }

    [Fact]
    public void It_knows_the_client_by_its_port_alone_and_by_its_family()
    {
        Check(Mapped, true, new ConntrackFilter { SourcePort = [new PortRange(50022)] });
        Check(Mapped, true, new ConntrackFilter { AddressFamily = IPFamily.IPv4 });
        Check(Mapped, false, new ConntrackFilter { AddressFamily = IPFamily.IPv6 });
        Check(Plain, false, new ConntrackFilter { AddressFamily = IPFamily.IPv6, SourceAddress = [AddressPrefix.Parse("::ffff:192.0.2.50")] });
    }

    [Theory]
    [InlineData(Mapped, "192.0.2.50", "198.51.100.7", true)]
    [InlineData(Plain, "::ffff:192.0.2.50", "::ffff:198.51.100.7", true)]
    [InlineData(Mapped, "::ffff:192.0.2.50", "::ffff:198.51.100.7", true)]
    [InlineData(Plain, "::ffff:192.0.2.51", "::ffff:198.51.100.7", false)]
    [InlineData(Plain, "::ffff:192.0.2.50", "2001:db8::7", false)]
    public void It_knows_a_given_entry_in_either_form(string connection, string source, string destination, bool isOwn) =>
        Check(connection, isOwn, BlockTarget.Of([Entries.Tcp(source, 50022, destination, 22)]));

    [Fact]
    public void It_finds_the_entry_of_a_mapped_connection_translated()
    {
        ns.Exec(
            "conntrack", "-I", "-s", "192.0.2.50", "-d", "203.0.113.1", "-p", "tcp", "--sport", "50022", "--dport", "2222",
            "--state", "ESTABLISHED", "-t", "600", "--dst-nat", "198.51.100.7:22");
        Check(Mapped, true, new ConntrackFilter { DestinationAddress = [AddressPrefix.Parse("203.0.113.1")] });
        Check("::ffff:192.0.2.50 50022 22", true, new ConntrackFilter { DestinationAddress = [AddressPrefix.Parse("203.0.113.1")] });
        Check(Mapped, true, new ConntrackFilter { DestinationAddress = [AddressPrefix.Parse("::ffff:203.0.113.1")] });
    }

    [Fact]
    public void No_address_of_a_filter_is_forgotten()
    {
        PropertyInfo[] addresses = [.. typeof(ConntrackFilter).GetProperties().Where(property => property.PropertyType == typeof(IReadOnlyList<AddressPrefix>))];
        Assert.True(addresses.Length >= 8);
        ConntrackFilter filter = new();
        foreach (PropertyInfo property in addresses)
            property.SetValue(filter, new[] { AddressPrefix.Parse("::ffff:192.0.2.0/120"), AddressPrefix.Parse("2001:db8::1") });
        ConntrackFilter unmapped = filter.Unmapped();
        Assert.All(addresses, property => Assert.Equal("192.0.2.0/24 2001:db8::1", string.Join(' ', (IReadOnlyList<AddressPrefix>)property.GetValue(unmapped)!)));
    }

    private void Check(string connection, bool isOwn, ConntrackFilter filter) => Check(connection, isOwn, BlockTarget.Of(filter));

    private void Check(string connection, bool isOwn, BlockTarget target)
    {
        string variable = connection.Split(' ').Length == 4 ? "SSH_CONNECTION" : "SSH_CLIENT";
        SshGuard guard = new(ns.Table, SshConnection.Parse(name => name == variable ? connection : null)!);
        if (isOwn)
            Assert.Contains("192.0.2.50", Assert.Throws<OwnConnectionException>(() => guard.Check(target)).Message, StringComparison.Ordinal);
        else
            guard.Check(target);
    }
}
