using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Conntrack;

/// <summary>/etc/services and /etc/protocols, with Debian's lines and hostile ones.</summary>
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

    /// <summary>Names may contain hyphens. A number is never looked up.</summary>
    [Theory]
    [InlineData("https", "443")]
    [InlineData("ftp-data", "20")]
    [InlineData("443", "443")]
    [InlineData("8000-8100", "8000-8100")]
    [InlineData("http-https", "80-443")]
    [InlineData("80-HTTPS", "80-443")]
    [InlineData("ftp-data-www", "20-80")]
    [InlineData("ftp-data - 443", "20-443")]
    [InlineData("0-65535", "0-65535")]
    public void A_port_is_a_number_a_range_or_a_service(string text, string range)
    {
        Assert.Equal(range, Services.ParseRange(text).ToString());
        if (!range.Contains('-', StringComparison.Ordinal))
            Assert.Equal(range, $"{Services.ParsePort(text)}");
        else
            Assert.Throws<FormatException>(() => Services.ParsePort(text));
    }

    [Theory]
    [InlineData("65536", "'65536' is not a port.")]
    [InlineData("80-", "'80-' is not a port.")]
    [InlineData("90-80", "'90-80' is not a port.")]
    [InlineData("", "'' is not a port.")]
    [InlineData("telnets", "'telnets' is not a service of /etc/services.")]
    [InlineData("http-telnets", "'http-telnets' is not a service of /etc/services.")]
    [InlineData("split", "'split' has several ports in /etc/services. Write one of 100, 200.")]
    public void What_is_no_port_is_told_with_what_is_accepted(string text, string problem)
    {
        string told = Assert.Throws<FormatException>(() => Services.ParseRange(text)).Message;
        Assert.StartsWith(problem, told, StringComparison.Ordinal);
        Assert.StartsWith(problem, Assert.Throws<FormatException>(() => Services.ParsePort(text)).Message, StringComparison.Ordinal);
        if (text != "split")
            Assert.EndsWith($"Write {ServiceNames.AcceptedForm}.", told, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_file_a_name_is_told_to_need_it()
    {
        ServiceNames none = ServiceNames.Parse([]);
        Assert.True(none.IsEmpty);
        Assert.Equal("80-90", none.ParseRange("80-90").ToString());
        string told = Assert.Throws<FormatException>(() => none.ParseRange("https")).Message;
        Assert.StartsWith("'https' can't be looked up: this machine has no /etc/services, which the package netbase brings.", told, StringComparison.Ordinal);
        Assert.StartsWith("'65536' is not a port.", Assert.Throws<FormatException>(() => none.ParseRange("65536")).Message, StringComparison.Ordinal);
    }

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

    /// <summary>The file of the test machine, if it has one.</summary>
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
