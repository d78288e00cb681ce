using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Helpers;
using ConntrackPS.Nftables;
using ConntrackPS.Rules;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Rules;

/// <summary>The rules as nft shows them. The tests of the cmdlets check their effect with packets.</summary>
public sealed class TrafficRuleTests(NetworkNamespaceFixture network) : IClassFixture<NetworkNamespaceFixture>
{
    private static readonly ConntrackFilter Dns = new()
    {
        Protocol = [IPProtocol.Udp],
        DestinationAddress = [AddressPrefix.Parse("198.51.100.53"), AddressPrefix.Parse("2001:db8::53")],
        DestinationPort = [new PortRange(53)],
    };

    public static TheoryData<string> Actions => ["notrack", "helper", "helpers", "drop", "reject"];

    [Theory]
    [MemberData(nameof(Actions))]
    public void Nft_shows_the_rule_and_takes_its_text(string name)
    {
        RuleAction action = ActionOf(name);
        using TrafficRule rule = TrafficRule.Open(FilterOf(name), action, network.Namespace);

        string shown = network.Exec("nft", "-n", "list", "table", "inet", rule.Name);
        Assert.True(rule.IsInForce);
        Assert.Contains("flags owner", shown, StringComparison.Ordinal);
        foreach (string part in PartsOf(name))
            Assert.Contains(part, shown, StringComparison.Ordinal);

        // The same as text, in a table that stays: nft reads it, and shows the same rules.
        string text = $"table inet as-text {{\n{string.Join('\n', action.ToNft(PacketSelector.Of(FilterOf(name))))}\n}}";
        network.Exec("sh", "-c", $"cat > /tmp/{rule.Name}.nft <<'END'\n{text}\nEND\nnft -f /tmp/{rule.Name}.nft; status=$?; rm /tmp/{rule.Name}.nft; exit $status");
        string again = network.Exec("nft", "-n", "list", "table", "inet", "as-text");
        network.Exec("nft", "delete", "table", "inet", "as-text");
        foreach (string part in PartsOf(name))
            Assert.Contains(part, again, StringComparison.Ordinal);
        Assert.Equal(CountRules(shown), CountRules(again));
    }

    [Fact]
    public void A_rule_goes_with_its_object()
    {
        TrafficRule rule = TrafficRule.Open(Dns, new NoTrackAction(), network.Namespace);
        Assert.Contains(rule.Name, network.Exec("nft", "list", "tables"), StringComparison.Ordinal);
        rule.Dispose();
        Wait.Until(() => !network.Exec("nft", "list", "tables").Contains(rule.Name, StringComparison.Ordinal));
        Assert.False(rule.IsInForce);
    }

    public static TheoryData<string> Helpers => [.. HelperCatalog.All.Where(helper => helper.Ports.Length > 0).Select(helper => helper.Name)];

    [Theory]
    [MemberData(nameof(Helpers))]
    public void The_kernel_attaches_each_helper_of_the_catalog(string name)
    {
        HelperRequest request = HelperRequest.Of(name, new ConntrackFilter(), allowsUnsafe: true);
        using TrafficRule rule = TrafficRule.Open(request.Traffic, request.Action, network.Namespace);
        Assert.Equal(2 * request.Helper.Protocols.Length, CountRules(network.Exec("nft", "list", "table", "inet", rule.Name)));
        Assert.Equal(2 * request.Helper.Protocols.Length, new HelperReader(network.Namespace).Read().Single(helper => helper.Name == name).RuleCount);
    }

    /// <summary>The kernel has the helper for TCP only, as if its module was missing.</summary>
    [Fact]
    public void A_helper_that_the_kernel_lacks_makes_no_rule()
    {
        NftablesUnavailableException exception = Assert.Throws<NftablesUnavailableException>(
            () => TrafficRule.Open(Dns, new HelperAction("ftp", [IPProtocol.Udp]), network.Namespace));
        Assert.StartsWith("The kernel does not have the helper for this protocol", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("conntrackps", network.Exec("nft", "list", "tables"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_rule_whose_table_the_kernel_lost_is_made_again()
    {
        using LosableRule losable = new(Dns, new NoTrackAction(), network.Namespace);
        string before = network.Exec("nft", "-n", "list", "table", "inet", losable.Rule.Name);
        losable.Lose();
        Assert.True(Wait.Until(() => losable.Rule is { LossCount: 1, IsInForce: true }));
        Assert.Equal(before, network.Exec("nft", "-n", "list", "table", "inet", losable.Rule.Name));
        Assert.Contains("it had no effect until it was created again", losable.Rule.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_condition_that_packets_do_not_have_makes_no_rule()
    {
        UnsupportedConditionException exception = Assert.Throws<UnsupportedConditionException>(
            () => TrafficRule.Open(Dns with { Mark = [new MaskedMark(7)] }, new NoTrackAction(), network.Namespace));
        Assert.Equal("Mark", exception.Property);
        Assert.DoesNotContain("conntrackps", network.Exec("nft", "list", "tables"), StringComparison.Ordinal);
    }

    private static ConntrackFilter FilterOf(string name) => name == "helpers" ? Dns with { Protocol = [IPProtocol.Udp, IPProtocol.Tcp] } : Dns;

    private static RuleAction ActionOf(string name) => name switch
    {
        "notrack" => new NoTrackAction(),
        "helper" => new HelperAction("sip", [IPProtocol.Udp]),
        "helpers" => new HelperAction("sip", [IPProtocol.Udp, IPProtocol.Tcp]),
        _ => new LimitAction(5, 24, 64, IsPerDestination: false, Rejects: name == "reject"),
    };

    private static string[] PartsOf(string name) => name switch
    {
        "notrack" => ["hook prerouting priority -300", "hook output priority -300", "notrack", "sport", "dport", "ip saddr", "ip6 daddr"],
        "helper" => ["type \"sip\" protocol udp", "ct helper set \"sip-udp\"", "priority -199"],
        "helpers" => ["type \"sip\" protocol udp", "type \"sip\" protocol tcp", "ct helper set \"sip-udp\"", "ct helper set \"sip-tcp\"", "hook output"],
        "drop" => ["ct count over 5", "ip saddr & 255.255.255.0", "drop", "flags dynamic"],
        _ => ["ct count over 5", "ip6 saddr & ffff:ffff:ffff:ffff::", "reject with tcp reset", "reject"],
    };

    private static int CountRules(string table) => table.Split('\n').Count(line => line.Contains("counter", StringComparison.Ordinal));
}
