using System.Net.Sockets;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Tuning;

public sealed class TimeoutPoliciesTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    private TimeoutPolicies Policies => new(_ns.Namespace);

    public void Dispose() => _ns.Dispose();

    [Theory]
    [MemberData(nameof(TimeoutDefaultsTests.TrackedProtocols), MemberType = typeof(TimeoutDefaultsTests))]
    public void A_policy_is_to_nfct_what_it_is_to_us(TimeoutProtocol protocol)
    {
        // udplite uses the numbers of udp, which would be set twice.
        uint seconds = 50;
        Dictionary<TimeoutDefinition, uint> values = TimeoutCatalog.Of(protocol)
            .Where(definition => definition.State is not (TimeoutState.HeartbeatAcked or TimeoutState.HeartbeatSent))
            .ToDictionary(definition => definition, _ => seconds++);
        Policies.Create("ours", IPFamily.IPv4, protocol, values);
        (int family, int number, Dictionary<string, uint> theirs) = Nfct.Policies(_ns)["ours"];
        Assert.Equal((2, (int)protocol), (family, number));
        Assert.Equal(
            values.ToDictionary(pair => pair.Key.State is { } state ? Names.UpperSnake(state.ToString()) : "TIMEOUT", pair => pair.Value), theirs);
        ConntrackTimeoutPolicy policy = Policies.Find("ours");
        Assert.Equal((IPFamily.IPv4, protocol, 0u), (policy.AddressFamily, policy.Protocol, policy.UseCount));
        Assert.All(values, pair => Assert.Equal(pair.Value, policy.Timeout[TimeoutValues.KeyOf(pair.Key)]));
    }

    [Fact]
    public void A_policy_of_nfct_is_read()
    {
        _ns.Exec("nfct", "add", "timeout", "theirs", "inet6", "udp", "unreplied", "11", "replied", "22");
        ConntrackTimeoutPolicy policy = Assert.Single(Policies.Read());
        Assert.Equal(("theirs", IPFamily.IPv6, TimeoutProtocol.Udp), (policy.Name, policy.AddressFamily, policy.Protocol));
        Assert.Equal("Unreplied=11,Replied=22", policy.Timeout.ToString());
        Assert.Equal(11u, policy.Timeout["unreplied"]);
    }

    [Fact]
    public void States_that_are_not_named_take_the_defaults_of_the_namespace()
    {
        new TimeoutDefaults(_ns.Namespace).Set(Tcp("SynSent"), 33);
        Policies.Create("web", IPFamily.IPv4, TimeoutProtocol.Tcp, new Dictionary<TimeoutDefinition, uint> { [Tcp("Established")] = 600 });
        ConntrackTimeoutPolicy policy = Policies.Find("web");
        Assert.Equal((33u, 600u, 60u), (policy.Timeout["SynSent"], policy.Timeout["Established"], policy.Timeout["SynRecv"]));
    }

    /// <summary>The kernel resets values that a replacement omits to the defaults.</summary>
    [Fact]
    public void A_change_in_place_keeps_what_it_does_not_name()
    {
        Policies.Create("web", IPFamily.IPv4, TimeoutProtocol.Tcp, new Dictionary<TimeoutDefinition, uint> { [Tcp("Established")] = 600, [Tcp("Close")] = 3 });
        Policies.Change("web", new Dictionary<TimeoutDefinition, uint> { [Tcp("SynSent")] = 7 });
        ConntrackTimeoutPolicy policy = Policies.Find("web");
        Assert.Equal((7u, 600u, 3u), (policy.Timeout["SynSent"], policy.Timeout["Established"], policy.Timeout["Close"]));
        Assert.Equal(600u, Nfct.Policies(_ns)["web"].Values["ESTABLISHED"]);
    }

    [Fact]
    public void Refusals_tell_what_is_wrong()
    {
        Policies.Create("a", IPFamily.IPv4, TimeoutProtocol.Icmp, new Dictionary<TimeoutDefinition, uint>());
        Assert.Equal(Errno.Exists, Refusal(() => Policies.Create("a", IPFamily.IPv4, TimeoutProtocol.Icmp, new Dictionary<TimeoutDefinition, uint>())));
        Assert.Equal(Errno.NotFound, Refusal(() => Policies.Find("b")));
        Assert.Equal(Errno.NotFound, Refusal(() => Policies.Remove("b")));
        Assert.Equal(Errno.NotFound, Refusal(() => Policies.Change("b", new Dictionary<TimeoutDefinition, uint>())));
        Assert.DoesNotContain("b", Policies.Read().Select(policy => policy.Name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a23456789012345678901234567890xy")]
    [InlineData("ääääääääääääääää")]
    public void A_name_that_the_kernel_does_not_take_is_refused_before_it_is_asked(string name)
    {
        Assert.Contains("1 to 31", Assert.Throws<ArgumentException>(() => Policies.Create(name, IPFamily.IPv4, TimeoutProtocol.Icmp, new Dictionary<TimeoutDefinition, uint>())).Message, StringComparison.Ordinal);

        // Without a name the kernel would remove all policies.
        Assert.Throws<ArgumentException>(() => Policies.Remove(name));
    }

    [Fact]
    public void The_longest_name_works()
    {
        string name = new('n', 31);
        Policies.Create(name, IPFamily.IPv4, TimeoutProtocol.Icmp, new Dictionary<TimeoutDefinition, uint>());
        Assert.Equal(name, Assert.Single(Policies.Read()).Name);
        Policies.Remove(name);
        Assert.Empty(Policies.Read());
    }

    [Fact]
    public void Many_policies_are_listed_whole()
    {
        string[] names = [.. Enumerable.Range(0, 500).Select(number => $"policy{number}")];
        foreach (string name in names)
            Policies.Create(name, IPFamily.IPv4, TimeoutProtocol.Tcp, new Dictionary<TimeoutDefinition, uint>());
        Assert.Equal(names, Policies.Read().Select(policy => policy.Name));
    }

    [Fact]
    public void A_flow_obeys_the_policy_that_a_rule_attaches_and_its_change_in_place()
    {
        Policies.Create("brief", IPFamily.IPv4, TimeoutProtocol.Udp, new Dictionary<TimeoutDefinition, uint> { [Udp("Unreplied")] = 7 });
        _ns.Exec("iptables", "-t", "raw", "-A", "OUTPUT", "-p", "udp", "--dport", "9999", "-j", "CT", "--timeout", "brief");
        _ns.Exec("iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "NEW");
        Assert.Equal(1u, Policies.Find("brief").UseCount);
        Assert.Equal(Errno.Busy, Refusal(() => Policies.Remove("brief")));

        using UdpClient client = _ns.Namespace.Run(() => new UdpClient(AddressFamily.InterNetwork));
        client.Send([1], 1, "127.0.0.1", 9999);
        Assert.InRange(TimeoutOf(9999), 1u, 7u);
        client.Send([1], 1, "127.0.0.1", 9998);
        Assert.InRange(TimeoutOf(9998), 20u, 30u);

        Policies.Change("brief", new Dictionary<TimeoutDefinition, uint> { [Udp("Unreplied")] = 900 });
        client.Send([1], 1, "127.0.0.1", 9999);
        Assert.InRange(TimeoutOf(9999), 800u, 900u);

        _ns.Exec("iptables", "-t", "raw", "-F");
        Policies.Remove("brief");
    }

    private uint TimeoutOf(int port) =>
        (uint)ConntrackTool.ListXml(_ns, "-p", "udp", "--dport", $"{port}").Single().Timeout!.Value;

    private static TimeoutDefinition Tcp(string state) => TimeoutCatalog.Find(TimeoutProtocol.Tcp, state);

    private static TimeoutDefinition Udp(string state) => TimeoutCatalog.Find(TimeoutProtocol.Udp, state);

    private static Errno Refusal(Action action) => Assert.Throws<NetlinkException>(action).Errno;
}
