using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Conntrack;

/// <summary>/etc/services and /etc/protocols, in lines of Debian's and hostile ones.</summary>
public class NameFileTests
{
    private static readonly ServiceNames Services = ServiceNames.Parse(
    [
        "# Network services, Internet style",
        "",
        "domain\t\t53/tcp\t\t\t\t# Domain Name Server",
        "domain\t\t53/udp",
        "https\t\t443/tcp\t\t\t\t# http protocol over TLS/SSL",
        "ftp-data\t20/tcp",
        "http\t\t80/tcp\t\twww",
        "shell\t\t514/tcp\t\tcmd syslog",
        "syslog\t\t514/udp",
        "split\t\t100/tcp",
        "split\t\t200/udp",
        "broken",
        "broken 70000/tcp",
        "broken -1/tcp",
        "broken 5",
        "broken 5/",
    ]);

    [Theory]
    [InlineData("https", 443)]
    [InlineData("HTTPS", 443)]
    [InlineData("www", 80)]
    [InlineData("ftp-data", 20)]
    [InlineData("domain", 53)]
    [InlineData("syslog", 514)]
    [InlineData("broken", null)]
    [InlineData("nothing", null)]
    public void A_service_has_the_port_of_the_file(string name, int? port) => Assert.Equal((ushort?)port, Services.PortOf(name));

    [Fact]
    public void A_name_of_two_ports_is_refused_with_both() =>
        Assert.Contains("100, 200", Assert.Throws<FormatException>(() => Services.PortOf("split")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_port_has_the_name_of_its_protocol()
    {
        Assert.Equal("shell", Services.NameOf(IPProtocol.Tcp, 514));
        Assert.Equal("syslog", Services.NameOf(IPProtocol.Udp, 514));
        Assert.Null(Services.NameOf(IPProtocol.Udp, 443));
    }

    [Fact]
    public void Names_are_found_by_how_they_begin() =>
        Assert.Equal([("http", 80), ("https", 443)], Services.StartingWith("HTT").Select(pair => (pair.Name, (int)pair.Port)));

    [Fact]
    public void A_protocol_has_the_number_of_the_file()
    {
        Dictionary<string, IPProtocol> numbers = ProtocolNames.ParseFile(["esp\t50\tIPSEC-ESP\t# Encap", "eigrp 88 EIGRP", "x 256", "y", "z -1"]);
        Assert.Equal((IPProtocol)88, numbers["eigrp"]);
        Assert.Equal(IPProtocol.Esp, numbers["ipsec-esp"]);
        Assert.DoesNotContain("x", numbers.Keys);
    }

    /// <summary>The system's own file, where it has one.</summary>
    [Fact]
    public void The_file_of_this_machine_is_read()
    {
        if (!File.Exists("/etc/services"))
        {
            Assert.True(ServiceNames.System.IsEmpty);
            return;
        }

        string[] lines = File.ReadAllLines("/etc/services");
        Assert.Contains(lines, line => line.StartsWith("https", StringComparison.Ordinal));
        Assert.Equal((ushort)443, ServiceNames.System.PortOf("https"));
        Assert.Equal("domain", ServiceNames.System.NameOf(IPProtocol.Udp, 53));
    }
}
