using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Rules;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Rules;

/// <summary>What the kernel does with limits, seen by real sockets behind a router, and by its table.</summary>
public sealed partial class LimitActionTests(RoutedNetwork network) : IClassFixture<RoutedNetwork>, IDisposable
{
    private static readonly ConntrackFilter Everything = new();

    public static TheoryData<IPFamily> Families => [IPFamily.IPv4, IPFamily.IPv6];

    public void Dispose() => network.Reset();

    [Theory]
    [InlineData(IPFamily.IPv4, true, SocketError.ConnectionRefused)]
    [InlineData(IPFamily.IPv6, true, SocketError.ConnectionRefused)]
    [InlineData(IPFamily.IPv4, false, SocketError.TimedOut)]
    [InlineData(IPFamily.IPv6, false, SocketError.TimedOut)]
    public void As_many_pass_as_allowed_and_the_next_is_refused(IPFamily family, bool rejects, SocketError expected)
    {
        network.Listen(80);
        using TrafficRule rule = Limit(3, rejects: rejects);
        Connection[] first = [.. Enumerable.Range(0, 3).Select(_ => Connect(family, 0, 1))];
        Assert.All(first, connection => Assert.True(connection.IsOpen));
        Assert.Equal(expected, Connect(family, 0, 1).Error);
        Assert.Equal(expected, Connect(family, 0, 1).Error);
        Assert.True(Connect(family, 0, 2).IsOpen, "Another host has its own number.");
        Assert.Equal(4, network.CountEntries());
        Assert.Equal(2ul, rule.ReadCounters().Packets);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void One_that_ends_lets_one_more_pass(IPFamily family)
    {
        network.Listen(80);
        using TrafficRule rule = Limit(2);
        Connection first = Connect(family, 0, 1);
        Connect(family, 0, 1);
        Assert.False(Connect(family, 0, 1).IsOpen);

        // Its entry is in the table for ten more seconds, in state CLOSE, which the kernel does not count.
        first.Abort();
        Assert.True(Wait.Until(() => network.Router.Exec("conntrack", "-L", "-f", Family(family)).Contains("CLOSE", StringComparison.Ordinal)));
        Forget();
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.False(Connect(family, 0, 1).IsOpen);

        // And so does one whose entry is removed.
        network.Router.Exec("conntrack", "-F");
        Forget();
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.False(Connect(family, 0, 1).IsOpen);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Hosts_of_a_prefix_count_together(IPFamily family)
    {
        network.Listen(80);
        using TrafficRule rule = Limit(2, prefix: 24, prefixIPv6: 64);
        Assert.True(Connect(family, 1, 1).IsOpen);
        Assert.True(Connect(family, 1, 2).IsOpen);
        Assert.False(Connect(family, 1, 3).IsOpen);
        Assert.True(Connect(family, 2, 3).IsOpen);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Connections_to_a_destination_count_together(IPFamily family)
    {
        network.Listen(80);
        using TrafficRule rule = Limit(2, isPerDestination: true);
        Assert.True(Connect(family, 1, 1).IsOpen);
        Assert.True(Connect(family, 2, 2).IsOpen);
        Assert.False(Connect(family, 3, 3).IsOpen);
        Assert.True(network.Connect(RoutedNetwork.Client(family, 3, 3), RoutedNetwork.Server(family, 3), 80).IsOpen);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void TCP_and_UDP_count_together_and_UDP_is_told(IPFamily family)
    {
        network.Listen(80);
        Socket receiver = network.Receiver(family, 53);
        using TrafficRule rule = Limit(2);
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.True(Send(family, 53).Arrives(receiver));
        Assert.False(Connect(family, 0, 1).IsOpen);
        (Socket refused, Func<Socket, bool> arrives) = Send(family, 53);
        Assert.False(arrives(receiver));
        Assert.Equal(SocketError.ConnectionRefused, Assert.Throws<SocketException>(() => refused.Receive(new byte[8])).SocketErrorCode);
        Assert.Equal(2, network.CountEntries());
    }

    /// <summary>A filter on either port matches in two ways. Both match a packet from port 53 to port 53.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void A_packet_that_two_conditions_match_counts_once(IPFamily family)
    {
        Socket[] receivers = [network.Receiver(family, 53, 2), network.Receiver(family, 53, 3)];
        using TrafficRule rule = Limit(2, new ConntrackFilter { Port = [new PortRange(53)] });
        network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family, 2), 53, fromPort: 53).Send([1]);
        Assert.True(RoutedNetwork.Arrives(receivers[0]));
        network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family, 3), 53, fromPort: 53).Send([1]);
        Assert.True(RoutedNetwork.Arrives(receivers[1]));
        Assert.False(Send(family, 53).Arrives(receivers[0]));
        Assert.Equal(1ul, rule.ReadCounters().Packets);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Connections_without_an_answer_count_and_their_repeated_packets_do_not(IPFamily family)
    {
        network.Listen(80);
        network.Ignore(81);
        using TrafficRule rule = Limit(3);
        Socket waiting = network.Start(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), 81);
        Socket silent = network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), 81);
        for (int i = 0; i < 20; i++)
            silent.Send([1]);

        // The second SYN comes after a second.
        network.Router.SetConntrackSetting("nf_conntrack_acct", 1);
        Thread.Sleep(1300);
        Assert.Contains("SYN_SENT", network.Router.Exec("conntrack", "-L", "-f", Family(family)), StringComparison.Ordinal);
        Assert.False(waiting.Poll(0, SelectMode.SelectError));

        Assert.True(Connect(family, 0, 1).IsOpen, "Two count, however many packets they have.");
        Assert.False(Connect(family, 0, 1).IsOpen, "Three count.");
        Assert.Equal(3, network.CountEntries());
    }

    [Theory]
    [InlineData(IPFamily.IPv4, true)]
    [InlineData(IPFamily.IPv6, true)]
    [InlineData(IPFamily.IPv4, false)]
    [InlineData(IPFamily.IPv6, false)]
    public void Refused_connections_do_not_stay_counted(IPFamily family, bool rejects)
    {
        network.Listen(80);
        using TrafficRule rule = Limit(2, rejects: rejects);
        Connection first = Connect(family, 0, 1);
        Connect(family, 0, 1);
        Socket[] refused = [.. Enumerable.Range(0, 60).Select(_ => network.Start(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), 80))];
        Assert.True(Wait.Until(() => rule.ReadCounters().Packets >= 60));
        Assert.Equal(2, network.CountEntries());
        Array.ForEach(refused, socket => socket.Dispose());
        first.Abort();
        Assert.True(Wait.Until(() => network.Router.Exec("conntrack", "-L", "-f", Family(family)).Contains("CLOSE", StringComparison.Ordinal)));
        Forget();
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.False(Connect(family, 0, 1).IsOpen);
    }

    /// <summary>A flow without replies is new to the kernel with each packet.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Flows_that_were_allowed_go_on_while_others_are_refused(IPFamily family)
    {
        Socket receiver = network.Receiver(family, 514);
        using TrafficRule rule = Limit(2);
        Socket[] allowed = [.. Enumerable.Range(0, 2).Select(_ => network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), 514))];
        for (int round = 0; round < 20; round++)
        {
            foreach (Socket socket in allowed)
            {
                socket.Send([1]);
                Assert.True(RoutedNetwork.Arrives(receiver), $"Round {round}.");
            }

            network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), 514).Send([2]);
        }

        Assert.Equal(20ul, rule.ReadCounters().Packets);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Connections_that_are_older_than_the_rule_do_not_count_and_go_on(IPFamily family)
    {
        network.Listen(80);
        network.Router.TrackPackets();
        Socket receiver = network.Receiver(family, 514);
        Socket[] old = [.. Enumerable.Range(0, 4).Select(_ => network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), 514))];
        Connection open = Connect(family, 0, 1);
        Exchange(old);
        using TrafficRule rule = Limit(2);
        Exchange(old);
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.False(Connect(family, 0, 1).IsOpen);
        Exchange(old);
        Assert.Equal(1, open.Socket!.Send([1]));
        Assert.Equal(1ul, rule.ReadCounters().Packets);

        void Exchange(Socket[] sockets)
        {
            foreach (Socket socket in sockets)
            {
                socket.Send([1]);
                Assert.True(RoutedNetwork.Arrives(receiver));
            }
        }
    }

    [Theory]
    [InlineData(IPFamily.IPv4, "127.0.0.1")]
    [InlineData(IPFamily.IPv6, "::1")]
    public void The_routers_own_connections_are_not_limited_but_those_to_it_are(IPFamily family, string loopback)
    {
        network.Listen(80);
        network.ListenAtRouter(22);
        using TrafficRule rule = Limit(2);
        for (int i = 0; i < 4; i++)
        {
            Assert.True(network.ConnectFromRouter(loopback, loopback, 22).IsOpen);
            Assert.True(network.ConnectFromRouter(RoutedNetwork.RouterAddress(family), RoutedNetwork.RouterAddress(family), 22).IsOpen);
            Assert.True(network.ConnectFromRouter(family == IPFamily.IPv6 ? "::" : "0.0.0.0", RoutedNetwork.Server(family), 80).IsOpen);
        }

        Assert.Equal(0ul, rule.ReadCounters().Packets);
        string client = RoutedNetwork.Client(family, 0, 1);
        Assert.True(network.Connect(client, RoutedNetwork.RouterAddress(family), 22).IsOpen);
        Assert.True(network.Connect(client, RoutedNetwork.Server(family), 80).IsOpen);
        Assert.Equal(SocketError.ConnectionRefused, network.Connect(client, RoutedNetwork.RouterAddress(family), 22).Error);
    }

    /// <summary>nft_dynset.c: without room for its element, the expression does not match.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void With_more_hosts_than_the_set_holds_new_ones_are_not_limited_until_others_leave(IPFamily family)
    {
        network.Listen(80);
        using TrafficRule rule = TrafficRule.Open(Everything, new LimitAction(1, 32, 128, false, true) { MaximumHosts = 2 }, network.Router.Namespace);
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.True(Connect(family, 0, 2).IsOpen);
        Assert.False(Connect(family, 0, 1).IsOpen);
        Assert.True(Connect(family, 0, 3).IsOpen);
        Assert.True(Connect(family, 0, 3).IsOpen, "The set is full.");
        Assert.Equal(2, CountHosts(rule));
        using (NetlinkConnection connection = NetlinkConnection.Open(network.Router.Namespace))
        {
            string? problem = ((LimitAction)rule.Action).DescribeFull(connection, rule.Name);
            Assert.StartsWith($"The rule counts 2 {family} hosts, which is the maximum:", problem, StringComparison.Ordinal);
            Assert.Null(new LimitAction(1, 32, 128, false, true).DescribeFull(connection, rule.Name));
        }

        // The kernel removes hosts without connections every second.
        network.Router.Exec("conntrack", "-F");
        Assert.True(Wait.Until(() => CountHosts(rule) == 0));
        Assert.True(Wait.Until(() => !Connect(family, 0, 3).IsOpen));
        Assert.Equal(1, CountHosts(rule));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Exempt_addresses_are_never_limited(IPFamily family)
    {
        network.Listen(80);
        string prefix = family == IPFamily.IPv6 ? "2001:db8:9:7::/64" : "10.9.7.0/24";
        using TrafficRule rule = TrafficRule.Open(
            Everything, new LimitAction(1, 32, 128, false, true) { ExemptAddresses = prefix }, network.Router.Namespace);
        Assert.All(Enumerable.Range(0, 3), _ => Assert.True(Connect(family, 7, 1).IsOpen));
        Assert.True(Connect(family, 8, 1).IsOpen);
        Assert.False(Connect(family, 8, 1).IsOpen);
        Assert.Equal(1, CountHosts(rule));
    }

    /// <summary>The count from the table is the kernel's: the next connection is refused as soon as it is at the maximum.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void The_table_has_as_many_connections_as_the_kernel_counts(IPFamily family)
    {
        network.Listen(80);
        Socket receiver = network.Receiver(family, 53);
        LimitAction limit = new(3, 32, 128, false, true) { ExemptAddresses = RoutedNetwork.Client(family, 9, 9) };
        using TrafficRule rule = TrafficRule.Open(Everything, limit, network.Router.Namespace);
        Connection closed = Connect(family, 0, 1);
        Connect(family, 0, 1);
        Connect(family, 9, 9);
        Connect(family, 0, 2);
        network.ConnectFromRouter(family == IPFamily.IPv6 ? "::" : "0.0.0.0", RoutedNetwork.Server(family), 80);
        Assert.Equal([(Host(1), 2), (Host(2), 1)], Count(limit));
        closed.Abort();
        Assert.True(Wait.Until(() => network.Router.Exec("conntrack", "-L", "-f", Family(family)).Contains("CLOSE", StringComparison.Ordinal)));
        Assert.Equal([(Host(1), 1), (Host(2), 1)], Count(limit));
        Assert.True(Send(family, 53).Arrives(receiver));
        Assert.True(Connect(family, 0, 1).IsOpen);
        Assert.Equal([(Host(1), 3), (Host(2), 1)], Count(limit));
        Assert.False(Connect(family, 0, 1).IsOpen);
        Assert.Equal([(Host(1), 3), (Host(2), 1)], Count(limit));

        string prefix = family == IPFamily.IPv6 ? "2001:db8:9::/64" : "10.9.0.0/24";
        Assert.Equal([(prefix, 4)], Count(limit with { Prefix = 24, PrefixIPv6 = 64 }));

        // The exempt address is no destination here.
        Assert.Equal([(RoutedNetwork.Server(family), 5)], Count(limit with { IsPerDestination = true }));

        string Host(int number) => RoutedNetwork.Client(family, 0, number).Replace(":0::", "::", StringComparison.Ordinal);
    }

    /// <summary>Of the addresses of an entry, a rule sees those of its first packet.</summary>
    [Fact]
    public void Either_address_is_one_of_the_first_packet()
    {
        network.Router.Exec("conntrack", "-I", "-s", "10.9.0.1", "-d", "10.2.0.2", "-p", "udp", "--sport", "5", "--dport", "53", "-t", "60", "--src-nat", "203.0.113.1:77");
        LimitAction limit = new(3, 32, 128, false, true);
        Assert.Equal([("10.9.0.1", 1)], Count(limit, new ConntrackFilter { Address = [AddressPrefix.Parse("10.2.0.2")] }));
        Assert.Equal([("10.9.0.1", 1)], Count(limit, new ConntrackFilter { Port = [new PortRange(5)] }));
        Assert.Empty(Count(limit, new ConntrackFilter { Address = [AddressPrefix.Parse("203.0.113.1")] }));
        Assert.Empty(Count(limit, new ConntrackFilter { Port = [new PortRange(77)] }));
        Assert.Empty(Count(limit with { ExemptAddresses = "10.9.0.0/16" }));
    }

    [Theory]
    [InlineData(true, "CONFIG_NFT_CONNLIMIT, CONFIG_NFT_REJECT_INET and Linux 5.9 to reject")]
    [InlineData(false, "CONFIG_NFT_CONNLIMIT)")]
    public void A_kernel_without_the_features_is_told_by_name(bool rejects, string expected)
    {
        using FakeKernel kernel = new();
        NftTransaction transaction = new(kernel.Connection, "limit-1", () => true, "add a rule");
        new LimitAction(3, 32, 64, false, rejects).AddTo(new TableBuilder("limit-1"), transaction, PacketSelector.Of(Everything));
        kernel.Answer(Messages.Error(3, Errno.NotFound));
        NftablesUnavailableException exception = Assert.Throws<NftablesUnavailableException>(transaction.Commit);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Equal_limits_are_equal_and_read_back_from_a_file()
    {
        LimitAction limit = new(3, 24, 64, true, false) { ExemptAddresses = "10.9.0.0/16, 2001:db8::1" };
        Assert.Equal(limit, new LimitAction(3, 24, 64, true, false) { ExemptAddresses = "10.9.0.0/16, 2001:db8::1" });
        Assert.NotEqual(limit, limit with { ExemptAddresses = "10.9.0.0/16" });
        RuleName name = new(RuleKind.Limit, null, 1);
        RuleFile file = RuleFile.Parse(name, "x", RuleFile.Write(name, new ConntrackFilter { Protocol = [IPProtocol.Udp] }, limit, null));
        Assert.Equal(limit, file.Action);
        Assert.Equal("at most 3 connections per destination (/24, IPv6 /64), except 10.9.0.0/16, 2001:db8::1, others dropped", limit.Effect);
    }

    [Theory]
    [InlineData("")]
    [InlineData("drop")]
    [InlineData("destination")]
    [InlineData("filter")]
    [InlineData("port")]
    [InlineData("family")]
    public void The_text_is_what_the_kernel_has(string name)
    {
        ConntrackFilter filter = name switch
        {
            "filter" => new ConntrackFilter
            {
                Protocol = [IPProtocol.Udp, IPProtocol.Tcp],
                SourceAddress = [AddressPrefix.Parse("10.9.0.0/17"), AddressPrefix.Parse("2001:db8:9::/48"), AddressPrefix.Parse("10.10.0.1")],
                DestinationPort = [new PortRange(53), new PortRange(5000, 5010)],
            },
            "port" => new ConntrackFilter { Port = [new PortRange(53)] },
            "family" => new ConntrackFilter { AddressFamily = IPFamily.IPv6 },
            _ => Everything,
        };
        LimitAction action = name switch
        {
            "drop" => new LimitAction(5, 24, 64, IsPerDestination: false, Rejects: false),
            "destination" => new LimitAction(5, 32, 56, IsPerDestination: true, Rejects: true) { ExemptAddresses = "10.2.0.9" },
            "filter" => new LimitAction(7, 32, 128, false, true) { ExemptAddresses = "10.9.0.9, 10.9.1.0/24, 2001:db8:9:9::/64" },
            _ => new LimitAction(5, 24, 64, false, true),
        };
        using TrafficRule rule = TrafficRule.Open(filter, action, network.Router.Namespace);
        string kernels = network.Router.Exec("nft", "-n", "list", "table", "inet", rule.Name);
        string text = $"table inet as-text {{\n{string.Join('\n', action.ToNft(PacketSelector.Of(filter)))}\n}}";
        network.Router.Exec("sh", "-c", $"nft -f - <<'END'\n{text}\nEND");
        string loaded = network.Router.Exec("nft", "-n", "list", "table", "inet", "as-text");
        Assert.Equal(Comparable(loaded), Comparable(kernels));
        Assert.Contains("ct count over", loaded, StringComparison.Ordinal);
    }

    /// <summary>nft shows values in place if the text has them there, and a named set if the kernel has one.</summary>
    private static string Comparable(string table)
    {
        table = Wrapped().Replace(table, ", ");
        table = TableHead().Replace(table, "table inet x {\n");
        foreach (Match set in ValueSet().Matches(table))
        {
            table = table.Replace(set.Value, "", StringComparison.Ordinal)
                .Replace($"@{set.Groups["name"].Value} ", set.Groups["values"].Value.Contains(", ", StringComparison.Ordinal) ? $"{{ {set.Groups["values"].Value} }} " : set.Groups["values"].Value + " ", StringComparison.Ordinal);
        }

        return string.Join('\n', table.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    [GeneratedRegex(@",\s*\n\s*")]
    private static partial Regex Wrapped();

    [GeneratedRegex(@"table inet \S+ \{[^\n]*\n(\s*(comment|flags) [^\n]*\n)*")]
    private static partial Regex TableHead();

    [GeneratedRegex(@"\tset (?<name>\S+) \{\n\t\ttype \S+\n\t\tflags interval\n\t\telements = \{ (?<values>[^}]*?) \}\n\t\}\n")]
    private static partial Regex ValueSet();

    private TrafficRule Limit(
        uint maximum, ConntrackFilter? filter = null, int prefix = 32, int prefixIPv6 = 128, bool isPerDestination = false, bool rejects = true) =>
        TrafficRule.Open(filter ?? Everything, new LimitAction(maximum, prefix, prefixIPv6, isPerDestination, rejects), network.Router.Namespace);

    private Connection Connect(IPFamily family, int net, int host) =>
        network.Connect(RoutedNetwork.Client(family, net, host), RoutedNetwork.Server(family), 80);

    /// <summary>Another processor sees a refused connection for two ticks more, because its entry could be on its way into the table
    /// (nf_conncount.c: find_or_evict).</summary>
    private static void Forget() => Thread.Sleep(50);

    private (Socket Socket, Func<Socket, bool> Arrives) Send(IPFamily family, int port)
    {
        Socket socket = network.Datagrams(RoutedNetwork.Client(family, 0, 1), RoutedNetwork.Server(family), port);
        socket.ReceiveTimeout = 500;
        socket.Send([1]);
        return (socket, receiver => RoutedNetwork.Arrives(receiver));
    }

    private IEnumerable<(string, long)> Count(LimitAction limit, ConntrackFilter? filter = null)
    {
        new LimitedSourceCount(filter ?? Everything, limit, network.Router.Table).Read(out IReadOnlyList<LimitedSource> sources);
        Assert.All(sources, source => Assert.Equal(source.Count > 3, source.IsOver));
        return sources.Select(source => (source.Source, source.Count));
    }

    private int CountHosts(TrafficRule rule)
    {
        string table = network.Router.Exec("nft", "-n", "list", "table", "inet", rule.Name);
        return Host().Count(table[..table.IndexOf("chain", StringComparison.Ordinal)]);
    }

    [GeneratedRegex(@" ct count over")]
    private static partial Regex Host();

    private static string Family(IPFamily family) => family.ToString().ToLower(CultureInfo.InvariantCulture);
}
