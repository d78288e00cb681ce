using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;
using ConntrackPS.Nftables;
using ConntrackPS.Rules;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Rules;

/// <summary>Rules are added, found again and removed, in the kernel and in the files that the nftables service reads.</summary>
public sealed class RuleBookTests : IClassFixture<NetworkNamespaceFixture>, IDisposable
{
    private static readonly ConntrackFilter Dns = new()
    {
        Protocol = [IPProtocol.Udp, (IPProtocol)253],
        DestinationAddress = [AddressPrefix.Parse("198.51.100.0/24"), AddressPrefix.Parse("2001:db8::53")],
        SourcePort = [PortRange.Parse("1024-65535")],
        DestinationPort = [new PortRange(53)],
    };

    private readonly NetworkNamespaceFixture _network;
    private readonly string _root = Directory.CreateTempSubdirectory().FullName;

    public RuleBookTests(NetworkNamespaceFixture network)
    {
        _network = network;
        Write("etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\n");
        Directory.CreateDirectory(Path.Combine(_root, "etc/systemd/system/sysinit.target.wants"));
        Write("etc/systemd/system/sysinit.target.wants/nftables.service", "");
    }

    private string MainFile => Path.Combine(_root, "etc/nftables.conf");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    /// <summary>The kernel answers EPERM, and not EEXIST, for a name whose table another socket owns.</summary>
    [Fact]
    public void A_process_can_add_several_rules_of_a_kind()
    {
        RuleBook book = new(_network.Namespace);
        ConntrackRule[] rules =
        [
            book.Add(Dns, new NoTrackAction()), book.Add(Dns with { DestinationPort = [new PortRange(54)] }, new NoTrackAction()),
            book.Add(Dns with { DestinationPort = [new PortRange(55)] }, new NoTrackAction()),
        ];
        Assert.Equal([1, 2, 3], rules.Select(rule => RuleName.Parse(rule.Name)!.Value.Number));
        Assert.All(rules, rule => Assert.Contains(rule.Name, _network.Exec("nft", "list", "tables"), StringComparison.Ordinal));
        Assert.True(book.Remove(rules[1]));
        Assert.Equal(rules[1].Name, book.Add(Dns with { DestinationPort = [new PortRange(56)] }, new NoTrackAction()).Name);
        Assert.All(book.Read(), rule => Assert.True(book.Remove(rule)));
    }

    [Fact]
    public void A_rule_of_the_session_is_listed_with_its_counters_and_removed()
    {
        RuleBook book = new(_network.Namespace);
        ConntrackRule rule = book.Add(Dns, new NoTrackAction());
        Assert.Equal(FormattableString.Invariant($"conntrackps-notrack-{Environment.ProcessId}-1"), rule.Name);
        Assert.Equal((RuleKind.NoTrack, RuleLifetime.Process, Environment.ProcessId, null), (rule.Kind, rule.Lifetime, rule.ProcessId, rule.File));
        Assert.Contains("comment \"not tracked: entries with protocol", Tables(rule.Name), StringComparison.Ordinal);

        // The same again is no second rule. Another one is.
        Assert.Equal(rule.Name, book.Add(Dns with { }, new NoTrackAction()).Name);
        ConntrackRule limit = book.Add(Dns, new LimitAction(9, 32, 64, IsPerDestination: false, Rejects: true));
        Assert.Equal([rule.Name, limit.Name], book.Read().Select(found => found.Name));

        Assert.True(book.Remove(limit));
        Assert.DoesNotContain("limit", Tables(), StringComparison.Ordinal);
        Assert.True(book.Remove(rule));
        Assert.Empty(book.Read());
    }

    [Fact]
    public void A_persisted_rule_needs_no_process_and_its_file_makes_the_same_table() => NetworkNamespace.RunIn(_network.Namespace, () =>
    {
        RuleBook book = NewBook();
        ConntrackRule ofSession = book.Add(Dns, new NoTrackAction());
        (ConntrackRule rule, IReadOnlyList<string> files) = book.Persist(Dns, new NoTrackAction());
        string file = Path.Combine(_root, "etc/nftables.d/conntrackps-notrack-1.nft");
        Assert.Equal([file, MainFile], files);
        Assert.Equal(("conntrackps-notrack-1", file, true, null), (rule.Name, rule.File, rule.IsInForce, rule.ProcessId));
        Assert.EndsWith("\ninclude \"/etc/nftables.d/conntrackps-*.nft\"\n", File.ReadAllText(MainFile), StringComparison.Ordinal);
        Assert.Empty(book.Problems);

        // It takes the place of the rule of the session.
        Assert.DoesNotContain(ofSession.Name, Tables(), StringComparison.Ordinal);
        string live = Tables(rule.Name);
        Assert.DoesNotContain("owner", live, StringComparison.Ordinal);
        _network.Exec("nft", "-f", file);
        Assert.Equal(Rules(live), Rules(Tables(rule.Name)));

        // Again nothing changes, and a second book finds it whole.
        Assert.Empty(book.Persist(Dns, new NoTrackAction()).Files);
        ConntrackRule found = Assert.Single(NewBook().Read());
        Assert.Equal((rule.Name, Dns.ToString(), "not tracked"), (found.Name, found.Traffic, found.Effect));

        Assert.True(NewBook().Remove(found));
        Assert.False(File.Exists(file));
        Assert.DoesNotContain(rule.Name, Tables(), StringComparison.Ordinal);
        Assert.Empty(NewBook().Read());
        return true;
    });

    [Theory]
    [InlineData("etc/nftables.conf", "include \"/etc/nft.d/*.nft\"\n", "etc/nft.d")]
    [InlineData("etc/nftables.conf", "include \"my/*\"\n", "etc/my")]
    [InlineData("etc/nftables.conf", "include \"/etc/nftables/main.nft\"\n", null)]
    [InlineData("etc/nftables.nft", "include \"/etc/nftables.d/*.nft\"\n", "etc/nftables.d")]
    [InlineData("etc/sysconfig/nftables.conf", "# include \"/etc/nftables/*.nft\"\n", null)]
    public void The_file_is_where_the_service_includes_it(string main, string text, string? folder) => NetworkNamespace.RunIn(_network.Namespace, () =>
    {
        File.Delete(MainFile);
        Write(main, text);
        RuleBook book = NewBook();
        (ConntrackRule rule, IReadOnlyList<string> files) = book.Persist(Dns, new HelperAction("sip", [IPProtocol.Udp]));
        try
        {
            Assert.Equal(Path.Combine(_root, folder ?? "etc/nftables.d", "conntrackps-helper-1.nft"), rule.File);
            Assert.Equal(folder is null ? [rule.File!, Path.Combine(_root, main)] : [rule.File!], files);
            Assert.Equal(folder is not null, File.ReadAllText(Path.Combine(_root, main)) == text);
        }
        finally
        {
            book.Remove(rule);
        }

        return true;
    });

    [Fact]
    public void A_unit_names_the_main_file_and_a_disabled_service_is_told() => NetworkNamespace.RunIn(_network.Namespace, () =>
    {
        Directory.Delete(Path.Combine(_root, "etc/systemd"), recursive: true);
        Write("usr/lib/systemd/system/nftables.service", "[Service]\nExecStart=/usr/sbin/nft -f /srv/rules.nft\n");
        Write("srv/rules.nft", "");
        RuleBook book = NewBook();
        (ConntrackRule rule, IReadOnlyList<string> files) = book.Persist(Dns, new NoTrackAction());
        book.Remove(rule);
        Assert.Contains(Path.Combine(_root, "srv/rules.nft"), files);
        Assert.Contains("systemctl enable nftables", Assert.Single(book.Problems), StringComparison.Ordinal);
        return true;
    });

    [Fact]
    public void Nothing_is_left_if_the_file_or_the_rule_is_refused() => NetworkNamespace.RunIn(_network.Namespace, () =>
    {
        RuleBook book = NewBook();
        Write("etc/nftables.d", "a file where a folder is needed");
        Assert.Throws<PersistenceException>(() => book.Persist(Dns, new NoTrackAction()));
        Assert.DoesNotContain("conntrackps", Tables(), StringComparison.Ordinal);
        Assert.DoesNotContain("include", File.ReadAllText(MainFile), StringComparison.Ordinal);

        File.Delete(MainFile);
        Assert.Throws<NoNftablesServiceException>(() => book.Persist(Dns, new NoTrackAction()));
        Assert.Throws<NftablesUnavailableException>(() => book.Persist(Dns, new HelperAction("nosuchhelper", [IPProtocol.Udp])));
        Assert.DoesNotContain("conntrackps", Tables(), StringComparison.Ordinal);
        return true;
    });

    [Fact]
    public void A_changed_file_and_a_table_without_a_file_are_listed_and_removed() => NetworkNamespace.RunIn(_network.Namespace, () =>
    {
        Write("etc/nftables.d/conntrackps-limit-4.nft", "# rule: {\"Traffic\":{\"Colour\":[\"red\"]},\"Action\":null}\n");
        _network.Exec("nft", "add", "table", "inet", "conntrackps-notrack-7");
        _network.Exec("nft", "add", "table", "inet", "conntrackps-of-another");
        RuleBook book = NewBook();
        IReadOnlyList<ConntrackRule> rules = book.Read();
        Assert.Equal(["conntrackps-limit-4", "conntrackps-notrack-7"], rules.Select(rule => rule.Name));
        Assert.Equal((false, (ulong?)null), (rules[0].IsInForce, rules[0].Packets));
        Assert.All(rules, rule => Assert.True(book.Remove(rule)));
        Assert.False(File.Exists(Path.Combine(_root, "etc/nftables.d/conntrackps-limit-4.nft")));
        Assert.Contains("conntrackps-of-another", Tables(), StringComparison.Ordinal);
        _network.Exec("nft", "delete", "table", "inet", "conntrackps-of-another");
        return true;
    });

    [Fact]
    public void The_rule_of_another_process_is_listed_and_stays()
    {
        // The same socket calls and names as of another process: the rule is not in the session.
        using TrafficRule other = TrafficRule.Open(Dns, new NoTrackAction(), _network.Namespace);
        RuleBook book = new(_network.Namespace);
        ConntrackRule rule = Assert.Single(book.Read());
        Assert.Equal((other.Name, "not tracked", RuleLifetime.Process, true), (rule.Name, rule.Effect, rule.Lifetime, rule.IsInForce));
        Assert.Equal("entries with protocol", rule.Traffic[..21]);
        Assert.Throws<ForeignRuleException>(() => book.Remove(rule));
        Assert.True(other.IsInForce);
    }

    private RuleBook NewBook() => new(null, new SystemRoot(_root));

    private void Write(string name, string text)
    {
        string path = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private string Tables(string? name = null) => name is null ? _network.Exec("nft", "list", "tables") : _network.Exec("nft", "-n", "list", "table", "inet", name);

    /// <summary>Without the order of sets, and without counts.</summary>
    private static IEnumerable<string> Rules(string table) => table.Split('\n').Select(line => line.Trim()).Where(line => line.Contains("hook", StringComparison.Ordinal) || line.Contains("notrack", StringComparison.Ordinal)).Skip(1)
        .Select(line => System.Text.RegularExpressions.Regex.Replace(line, @"(saddr|daddr|sport|dport|l4proto) (\{[^}]*\}|\S+)", "$1 SET"));
}
