using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Rules;
using ConntrackPS.Rules.Tracking;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Rules;

/// <summary>The reasons for tracking that rulesets of nft and iptables are, for the traffic of a filter. This machine is the DNS server
/// 192.0.2.53 and 2001:db8::53.</summary>
public sealed class TrackingCheckTests : IDisposable
{
    private const string Server = "-d 192.0.2.53 -p udp --dport 53";
    private const string Server6 = "-d 2001:db8::53 -p udp --dport 53";
    private const string Through = "-s 10.0.1.0/24 -d 10.0.2.53 -p udp --dport 53";

    private readonly NetworkNamespaceFixture _ns = new();

    public TrackingCheckTests()
    {
        _ns.Exec("ip", "link", "add", "wan", "type", "veth", "peer", "name", "lan");
        _ns.Exec("ip", "address", "add", "192.0.2.53/24", "dev", "wan");
        _ns.Exec("ip", "address", "add", "10.0.9.1/24", "dev", "lan");
        _ns.Exec("ip", "address", "add", "2001:db8::53/64", "dev", "wan", "nodad");
        _ns.Exec("ip", "link", "set", "wan", "up");
        _ns.Exec("ip", "link", "set", "lan", "up");
    }

    public void Dispose() => _ns.Dispose();

    /// <summary>Rules of one chain with its policy; a filter; and the number of the rule that is a reason, from 1, or 0 for none.</summary>
    public static TheoryData<string, string, string, int> Chains => new()
    {
        // Accepted by the entry alone.
        { "input drop", "ct state established,related accept", Server, 1 },
        { "input drop", "ct state established accept", Server6, 1 },
        { "input accept", "ct state established,related accept; drop", Server, 1 },
        { "input drop", "ct state { established, related } accept", Server, 1 },
        { "input drop", "ct state new accept", Server, 1 },
        { "input drop", "ct state != invalid accept", Server, 0 },
        { "input drop", "ct state vmap { established : accept, related : accept, invalid : drop }", Server, 1 },
        { "input drop", "ct state vmap { established : accept, related : accept, new : accept, untracked : accept }", Server, 0 },
        { "input drop", "ct mark 7 accept", Server, 1 },
        { "input drop", "ct state established ct mark 7 accept", Server, 1 },
        { "input drop", "ct direction reply accept", Server, 1 },
        { "input drop", "udp dport . ct state { 53 . established, 53 . new } accept", Server, 1 },

        // Accepted anyway, or with the same verdict.
        { "input drop", "ct state established,related,untracked accept; udp dport 53 ct state new accept", Server, 0 },
        { "input drop", "ct state untracked accept; ct state established,related accept", Server, 0 },
        { "input drop", "ct state established,related accept; iif lo accept; udp dport 53 accept", Server, 0 },
        { "input drop", "ct state established,related accept; iifname lo accept; ip daddr 192.0.2.0/24 udp dport { 53, 853 } accept", Server, 0 },
        { "input drop", "ct state established,related accept; iifname \"lo\" accept; iifname \"wan\" udp dport 53 accept", Server, 1 },
        { "input drop", "ct state established,related accept; udp dport 53 accept", Server, 1 },
        { "input accept", "ct state established,related accept; tcp dport 22 drop", Server, 0 },
        { "input accept", "ct state established,related accept; udp dport 0-1023 drop", Server, 1 },
        { "input drop", "ct state established,related drop", Server, 0 },
        { "output drop", "ct state established,related accept", Server, 1 },
        { "output drop", "ct state established,related accept; udp sport 53 accept; oif lo accept", Server, 0 },

        // Dropped by the entry, so that an exemption opens the firewall.
        { "input accept", "ct state new udp dport 53 limit rate over 10/second drop", Server, 1 },
        { "input accept", "ct state new reject", Server, 1 },
        { "input accept", "ct state invalid drop", Server, 0 },
        { "input accept", "ct state invalid,untracked drop", Server, 1 },
        { "input accept", "ct state != { established, related, new } drop", Server, 1 },
        { "input accept", "ct state untracked accept", Server, 0 },
        { "input accept", "ct state untracked drop", Server, 1 },

        // Only counted, or changed.
        { "input accept", "ct state established counter", Server, 0 },
        { "input accept", "ct state new log prefix \"new\"", Server, 0 },
        { "input accept", "ct state new meta mark set 1", Server, 1 },
        { "prerouting accept", "meta mark set ct mark", Server, 1 },
        { "prerouting accept", "ct mark set meta mark", Server, 1 },
        { "prerouting accept", "udp dport 53 meta mark set 1", Server, 0 },
        { "input accept", "ct count over 10 drop", Server, 1 },
        { "input accept", "tcp dport 53 ct count over 10 drop", Server, 0 },

        // Other traffic.
        { "input drop", "tcp dport 22 ct state established accept", Server, 0 },
        { "input drop", "udp dport 54 ct state new accept", Server, 0 },
        { "input drop", "udp dport 54 udp sport != 53 ct state established accept", Server, 0 },
        { "input drop", "udp dport 50-60 ct state established accept", Server, 1 },
        { "input drop", "udp dport != 53 ct state new accept", Server, 0 },
        { "input drop", "udp dport { 22, 80-90 } udp sport 1024-65535 ct state established accept", Server, 0 },
        { "input drop", "udp dport < 53 udp sport > 53 ct state established accept", Server, 0 },
        { "input drop", "udp dport <= 53 ct state established accept", Server, 1 },
        { "input drop", "ip6 daddr ::/0 ct state established accept", Server, 0 },
        { "input drop", "meta nfproto ipv6 ct state established accept", Server, 0 },
        { "input drop", "meta protocol ip ct state established accept", Server6, 0 },
        { "input drop", "ip daddr 198.51.100.0/24 ct state established accept", Server, 0 },
        { "input drop", "ip daddr 192.0.0.0/8 ct state established accept", Server, 1 },
        { "input drop", "ip daddr 192.0.2.32/27 ct state established accept", Server, 1 },
        { "input drop", "ip daddr 192.0.2.64/27 ct state established accept", Server, 0 },
        { "input drop", "ip daddr { 192.0.2.1-192.0.2.52, 192.0.2.54 } ct state established accept", Server, 0 },
        { "input drop", "ip saddr 198.51.100.1 ip daddr 192.0.2.53 ct state established accept", Server, 1 },
        { "input drop", "ip saddr 198.51.100.1 ip daddr 192.0.2.54 ct state established accept", Server, 0 },
        { "input drop", "ip6 daddr 2001:db8::53 ct state established accept", Server6, 1 },
        { "input drop", "ip6 daddr 2001:db8::/64 ct state established accept", Server6, 1 },
        { "input drop", "ip6 daddr 2001:db8:1::/64 ct state established accept", Server6, 0 },
        { "input drop", "ip protocol tcp ct state established accept", Server, 0 },
        { "input drop", "meta l4proto { tcp, icmp } ct state established accept", Server, 0 },
        { "input drop", "meta l4proto . th dport { tcp . 53, udp . 54 } th sport != 53 ct state established accept", Server, 0 },
        { "input drop", "meta l4proto . th dport { tcp . 53, udp . 50-60 } ct state established accept", Server, 1 },
        { "input drop", "iifname wan ct state established accept", Server, 1 },

        // Other hooks.
        { "forward drop", "ct state established accept", Server, 0 },
        { "input drop", "ct state established accept", Through, 0 },
        { "output drop", "ct state established accept", Through, 0 },
        { "forward drop", "ct state established accept", Through, 1 },
        { "forward drop", "ct state established accept; ip saddr 10.0.0.0/16 ip daddr 10.0.0.0/16 accept", Through, 0 },
        { "forward drop", "ct state established accept; ip saddr 10.0.1.0/24 udp dport 53 accept", Through, 1 },
        { "forward accept", "ct status dnat accept; ip daddr 10.0.0.0/8 reject", Through, 0 },
        { "forward drop", "ct status snat,dnat accept", Through, 0 },
        { "forward drop", "ct status assured accept", Through, 1 },
        { "prerouting accept", "udp dport 53 notrack", Server, 0 },
    };

    [Theory]
    [MemberData(nameof(Chains))]
    public void A_rule_that_needs_entries_of_the_traffic_is_a_reason(string chain, string rules, string filter, int reason)
    {
        string[] parts = chain.Split(' ');
        Load($"table inet filter {{ chain c {{ type filter hook {parts[0]} priority 0; policy {parts[1]}; {rules}; }}; }}");
        IReadOnlyList<TrackingReason> reasons = Find(filter);
        Assert.Equal(reason == 0 ? [] : [$"inet filter c handle {HandleOf(reason)}"], reasons.Select(found => found.Place).Distinct());
    }

    public static TheoryData<string, string, string> Translations => new()
    {
        { "type nat hook postrouting priority 100", "masquerade", Through },
        { "type nat hook postrouting priority 100", "oifname wan ip saddr 10.0.1.0/24 masquerade", Through },
        { "type nat hook postrouting priority 100", "oifname wan ip saddr 10.0.3.0/24 masquerade", "" },
        { "type nat hook postrouting priority 100", "oifname wan ip saddr 10.0.3.0/24 masquerade", Server },
        { "type nat hook postrouting priority 100", "oifname lan ip saddr 10.0.3.0/24 masquerade", "none " + Server },
        { "type nat hook postrouting priority 100", "oifname != lan ip saddr 10.0.3.0/24 masquerade", Server },
        { "type nat hook postrouting priority 100", "oif wan ip saddr 10.0.3.0/24 masquerade", Server },
        { "type nat hook postrouting priority 100", "oifname wan ip saddr 10.0.3.0/24 tcp dport 80 masquerade", "" },
        { "type nat hook postrouting priority 100", "ip saddr 10.0.1.5 snat to 203.0.113.1", Through },
        { "type nat hook postrouting priority 100", "ip saddr 10.0.9.5 snat to 10.0.1.9", Through },
        { "type nat hook postrouting priority 100", "ip saddr 10.0.1.0/24 accept; ip saddr 10.0.2.0/24 accept; ip saddr 10.0.0.0/8 oif lan snat to 203.0.113.1", "" },
        { "type nat hook prerouting priority -100", "ip daddr 10.0.2.53 dnat to 10.0.4.4", Through },
        { "type nat hook prerouting priority -100", "ip daddr 203.0.113.1 udp dport 53 dnat to 10.0.2.53", Through },
        { "type nat hook prerouting priority -100", "ip daddr 203.0.113.1 udp dport 5353 dnat to 10.0.2.53:53", Through },
        { "type nat hook prerouting priority -100", "ip daddr 203.0.113.1 udp dport 53 dnat to 10.0.2.54", "" },
        { "type nat hook prerouting priority -100", "ip daddr 203.0.113.1 tcp dport 53 dnat to 10.0.2.53", "" },
        { "type nat hook prerouting priority -100", "udp dport 5353 redirect to :53", Server },
        { "type nat hook prerouting priority -100", "udp dport 5353 redirect to :5354", "" },
        { "type nat hook prerouting priority -100", "ip daddr . udp dport { 10.0.2.53 . 53 } dnat to 10.0.4.4", Through },
        { "type nat hook prerouting priority -100", "dnat ip to udp dport map { 53 : 10.0.4.4, 5353 : 10.0.4.5 }", Through },
    };

    [Theory]
    [MemberData(nameof(Translations))]
    public void A_rule_that_translates_the_traffic_or_the_replies_to_it_is_a_reason(string chain, string rules, string filter)
    {
        Load($"table inet nat {{ chain c {{ {chain}; {rules}; }}; }}");
        const string None = "none ";
        bool isNone = filter.Length == 0 || filter.StartsWith(None, StringComparison.Ordinal);
        IReadOnlyList<TrackingReason> reasons = Find(filter.Length == 0 ? Through : isNone ? filter[None.Length..] : filter);
        if (isNone)
            Assert.Empty(reasons);
        else
            Assert.Contains("translates the", Assert.Single(reasons).Explanation, StringComparison.Ordinal);
    }

    [Fact]
    public void Jumps_and_maps_of_verdicts_are_followed()
    {
        Load("""
            table inet fw {
                chain services {
                    udp dport 53 accept
                    tcp dport 22 ct state new accept
                }
                chain loop { iif lo accept; }
                chain other { ct state established accept; }
                chain input {
                    type filter hook input priority 0; policy drop;
                    ct state vmap { established : accept, related : accept, invalid : drop }
                    jump loop
                    meta l4proto vmap { udp : jump services, tcp : jump services, icmp : goto other }
                    ip protocol tcp goto other
                }
            }
            """);
        Assert.Empty(Find(Server));
        IReadOnlyList<TrackingReason> reasons = Find("-d 192.0.2.53 -p tcp --dport 22");
        Assert.Equal(["inet fw input", "inet fw services"], reasons.Select(reason => reason.Place.Split(" handle")[0]).Order());
        _ns.Exec("nft", "flush chain inet fw services");
        Assert.EndsWith("accepts packets of the state established, related, but untracked ones are dropped", Assert.Single(Find(Server)).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Sets_with_names_are_read_and_those_that_change_by_themselves_are_unknown()
    {
        Load("""
            table inet fw {
                set here { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }
                set there { type ipv4_addr; elements = { 198.51.100.1, 198.51.100.2 }; }
                set soon { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
                chain a { type filter hook input priority 0; policy drop; ip daddr @here ct state established accept; udp dport 53 accept; udp sport 53 accept; }
                chain b { type filter hook input priority 1; policy drop; ip daddr @there ct state established accept; iif lo accept; ip daddr @here udp dport 53 accept; }
                chain c { type filter hook input priority 2; policy accept; ip saddr @soon ct state established drop; }
            }
            """);
        Assert.Contains("inet fw c handle", Assert.Single(Find(Server)).Place, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dormant_table_a_chain_without_a_hook_and_other_families_are_no_reason()
    {
        Load("""
            table inet sleeps { flags dormant; chain c { type filter hook input priority 0; policy drop; ct state established accept; }; }
            table inet unused { chain c { ct state established accept; drop; }; }
            table ip6 six { chain c { type filter hook input priority 0; policy drop; ct state established accept; }; }
            """);
        Assert.Empty(Find(Server));
        Assert.Contains("ip6 six c handle", Assert.Single(Find(Server6)).Place, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string> IptablesRules => new()
    {
        { "-P INPUT DROP; -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", Server, "INPUT 1" },
        { "-P INPUT DROP; -A INPUT -m state --state ESTABLISHED -j ACCEPT", Server, "INPUT 1" },
        { "-P INPUT DROP; -A INPUT -m conntrack ! --ctstate INVALID -j ACCEPT", Server, "" },
        { "-A INPUT -m conntrack --ctstate INVALID -j DROP", Server, "" },
        { "-A INPUT -m conntrack --ctstate INVALID,UNTRACKED -j DROP", Server, "INPUT 1" },
        { "-P INPUT DROP; -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; -A INPUT -i lo -j ACCEPT; -A INPUT -p udp --dport 53 -j ACCEPT", Server, "" },
        { "-P INPUT DROP; -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; -A INPUT -i wan -p udp --dport 53 -j ACCEPT", Server, "INPUT 1" },
        { "-P INPUT DROP; -A INPUT -p udp -m multiport --dports 22,54:60 -m conntrack --ctstate NEW -j ACCEPT", Server, "" },
        { "-P INPUT DROP; -A INPUT -p udp -m multiport --dports 22,50:60 -m conntrack --ctstate NEW -j ACCEPT", Server, "INPUT 1" },
        { "-P INPUT DROP; -A INPUT -m iprange --dst-range 192.0.2.1-192.0.2.9 -m conntrack --ctstate NEW -j ACCEPT", Server, "" },
        { "-P INPUT DROP; -A INPUT ! -d 192.0.2.53/32 -m conntrack --ctstate NEW -j ACCEPT", Server, "" },
        { "-P INPUT DROP; -A INPUT -d 192.0.2.0/24 -m conntrack --ctstate NEW -j ACCEPT", Server, "INPUT 1" },
        { "-N x; -P INPUT DROP; -A INPUT -p udp -j x; -A x -m conntrack --ctstate NEW -j ACCEPT", Server, "x 1" },
        { "-N x; -P INPUT DROP; -A INPUT -p tcp -g x; -A x -m conntrack --ctstate NEW -j ACCEPT", Server, "" },
        { "-A INPUT -m connmark --mark 1 -j DROP", Server, "INPUT 1" },
        { "-A INPUT -p udp -m connlimit --connlimit-above 10 -j REJECT", Server, "INPUT 1" },
        { "-A INPUT -m helper --helper ftp -j DROP", Server, "INPUT 1" },
        { "-A INPUT -m comment --comment hello -m conntrack --ctstate NEW", Server, "" },
        { "-A FORWARD -m conntrack --ctstate NEW -j DROP", Server, "" },
        { "-t mangle -A PREROUTING -j CONNMARK --restore-mark", Server, "PREROUTING 1" },
        { "-t mangle -A PREROUTING -p udp --dport 53 -j MARK --set-mark 1", Server, "" },
        { "-t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp", "-p tcp --dport 21", "PREROUTING 1" },
        { "-t raw -A PREROUTING -p udp --dport 53 -j CT --notrack", Server, "" },
        { "-t nat -A POSTROUTING -j MASQUERADE", Through, "POSTROUTING 1" },
        { "-t nat -A POSTROUTING -s 10.0.1.0/24 -o wan -j SNAT --to-source 203.0.113.1", Through, "POSTROUTING 1" },
        { "-t nat -A POSTROUTING -s 10.0.3.0/24 -o wan -j SNAT --to-source 203.0.113.1", Through, "" },
        { "-t nat -A PREROUTING -p udp --dport 5353 -j DNAT --to-destination 10.0.2.53:53", Through, "PREROUTING 1" },
        { "-t nat -A PREROUTING -p udp --dport 5353 -j DNAT --to-destination 10.0.2.54:53", Through, "" },
        { "-t nat -A PREROUTING -p udp --dport 53 -j REDIRECT", Server, "PREROUTING 1" },
        { "-t nat -A POSTROUTING -s 10.0.1.0/24 -j NETMAP --to 10.9.1.0/24", Through, "POSTROUTING 1" },
    };

    [Theory]
    [MemberData(nameof(IptablesRules))]
    public void Rules_of_iptables_are_reasons_in_both_of_its_forms(string rules, string filter, string place)
    {
        foreach (string program in (string[])["iptables-legacy", "iptables-nft"])
        {
            foreach (string rule in rules.Split("; "))
                _ns.Exec(program, rule.Split(' '));
            IReadOnlyList<TrackingReason> reasons = Find(filter);
            string[] parts = place.Split(' ');
            if (place.Length == 0)
                Assert.Empty(reasons);
            else if (program == "iptables-legacy")
                Assert.EndsWith(place, Assert.Single(reasons).Place, StringComparison.Ordinal);
            else
                Assert.Contains($" {parts[0]} handle ", Assert.Single(reasons).Place, StringComparison.Ordinal);
            foreach (string table in (string[])["filter", "mangle", "raw", "nat"])
            {
                _ns.Exec(program, "-t", table, "-F");
                _ns.Exec(program, "-t", table, "-X");
            }

            _ns.Exec(program, "-P", "INPUT", "ACCEPT");
        }
    }

    [Fact]
    public void Entries_that_are_translated_are_a_reason_whatever_direction_the_filter_names()
    {
        ConntrackEntry entry = Entries.Make(IPProtocol.Udp, "10.0.1.5", 4444, "203.0.113.1", 53);
        entry.Reply = entry.Reply with { Source = HostAddress.Parse("10.0.2.53").Bits };
        Assert.True(TableFiller.TryCreate(_ns, entry));
        Assert.Equal("The table of connections", Assert.Single(Find(Through)).Place);
        Assert.Equal("The table of connections", Assert.Single(Find("-d 203.0.113.1 -p udp --dport 53")).Place);
        Assert.Empty(Find("-d 10.0.2.54 -p udp --dport 53"));
        Assert.Empty(Find("-d 10.0.2.53 -p tcp --dport 53"));
    }

    [Fact]
    public void The_addresses_of_the_machine_are_those_that_ip_shows()
    {
        _ns.Exec("ip", "route", "add", "local", "198.51.100.0/28", "dev", "lo");
        (LocalAddresses four, LocalAddresses six) = _ns.Namespace.Run(() => (LocalAddresses.Read(IPFamily.IPv4)!, LocalAddresses.Read(IPFamily.IPv6)!));
        Assert.Equal("10.0.9.1, 127.0.0.0/8, 192.0.2.53, 198.51.100.0/28", four.Own.ToNft());
        Assert.Equal("192.0.2.53", four.OfInterface["wan"].ToNft());
        Assert.Equal("10.0.9.1", four.OfInterface["lan"].ToNft());
        Assert.Contains("192.0.2.255", four.Delivered.ToNft(), StringComparison.Ordinal);
        Assert.Contains("224.0.0.0/4", four.Delivered.ToNft(), StringComparison.Ordinal);
        Assert.Contains("2001:db8::53", six.Own.ToNft(), StringComparison.Ordinal);
        Assert.StartsWith("::1, ", six.Own.ToNft(), StringComparison.Ordinal);
    }

    /// <summary>Begin, table, two chains with two rules each and a set, end.</summary>
    [Theory]
    [InlineData(1, Errno.NotSupported, "no nf_tables")]
    [InlineData(6, Errno.NotFound, "CONFIG_NFT_CT")]
    public void A_kernel_without_notrack_is_one_clear_error(int sequence, Errno errno, string problem)
    {
        using FakeKernel kernel = new();
        kernel.Answer(Messages.Error((uint)sequence, errno));
        OwnedTable table = new(kernel.Connection, "conntrackps-notrack-1-1", "add a rule");
        NftablesUnavailableException exception = Assert.Throws<NftablesUnavailableException>(
            () => table.Make((builder, transaction) => new NoTrackAction().AddTo(builder, transaction, PacketSelector.Of(Filter(Server)))));
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_privilege_the_kernel_refuses() => Assert.Equal(
        Errno.NotPermitted, Assert.Throws<NetlinkException>(() => Unprivileged.Run(_ns.Namespace, () => TrackingCheck.Find(Filter(Server)))).Errno);

    [Fact]
    public void A_damaged_ruleset_of_iptables_is_read_to_its_end()
    {
        _ns.Exec("iptables-legacy", "-A", "INPUT", "-i", "lo", "-p", "udp", "-m", "multiport", "--dports", "1:5,7", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT");
        _ns.Exec("iptables-legacy", "-N", "x");
        _ns.Exec("iptables-legacy", "-A", "INPUT", "-m", "iprange", "--src-range", "10.0.0.1-10.0.0.9", "-g", "x");
        XTable table = _ns.Namespace.Run(() => XTable.Read("filter", isIPv6: false))!;
        Random random = new(19);
        Dictionary<IPFamily, LocalAddresses?> local = [];
        for (int i = 0; i < 5000; i++)
        {
            byte[] entries = [.. table.Entries];
            entries[random.Next(entries.Length)] = (byte)random.Next(256);
            if (XtDecoder.Decode(table with { Entries = entries }, "filter", isIPv6: false) is { } decoded)
                _ = TrackingCheck.Find(Filter(Server), [decoded], local);
        }
    }

    /// <summary>The handle of a rule of the chain c, as nft shows it. Sets without a name have handles too.</summary>
    private string HandleOf(int number) => _ns.Exec("nft", "-a", "-nn", "list", "chain", "inet", "filter", "c").Split('\n')
        .Where(line => line.StartsWith("\t\t", StringComparison.Ordinal) && line.Contains("# handle ", StringComparison.Ordinal))
        .ElementAt(number - 1).Split("# handle ")[1].Trim();

    private void Load(string ruleset)
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, ruleset);
        _ns.Exec("nft", "-f", file);
        File.Delete(file);
    }

    private IReadOnlyList<TrackingReason> Find(string filter) => TrackingCheck.Find(Filter(filter), _ns.Namespace);

    /// <summary>A filter in the words of iptables.</summary>
    private static ConntrackFilter Filter(string words)
    {
        ConntrackFilter filter = new();
        foreach (string[] pair in words.Split(' ').Chunk(2))
        {
            filter = pair[0] switch
            {
                "-s" => filter with { SourceAddress = [AddressPrefix.Parse(pair[1])] },
                "-d" => filter with { DestinationAddress = [AddressPrefix.Parse(pair[1])] },
                "-p" => filter with { Protocol = [Enum.Parse<IPProtocol>(pair[1], ignoreCase: true)] },
                _ => filter with { DestinationPort = [PortRange.Parse(pair[1])] },
            };
        }

        return filter;
    }
}
