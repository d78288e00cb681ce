using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Helpers;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tests.Tuning;

namespace ConntrackPS.Tests.Helpers;

/// <summary>Helpers and the rules that attach them, on the real kernel, with the files of made-up systems.</summary>
public sealed class HelperReaderTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();
    private readonly PersistenceFixture _root = new();

    public void Dispose()
    {
        _ns.Dispose();
        _root.Dispose();
    }

    /// <summary>The names, protocols and families of the catalog, checked by the kernel.</summary>
    [Fact]
    public void The_kernel_has_each_helper_of_the_catalog_for_its_families_and_protocols()
    {
        using NetlinkConnection connection = NetlinkConnection.Open(_ns.Namespace);
        foreach (HelperDefinition helper in HelperCatalog.All.Where(helper => helper.Ports.Length > 0))
        {
            foreach (IPProtocol protocol in (IPProtocol[])[IPProtocol.Tcp, IPProtocol.Udp])
            {
                foreach (IPFamily family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6])
                {
                    bool? has = HelperProbe.HasHelper(connection, family == IPFamily.IPv4 ? NetfilterProtocol.Ipv4 : NetfilterProtocol.Ipv6, helper.Name, (byte)protocol);
                    Assert.True((helper.Protocols.Contains(protocol) && helper.Families.Contains(family)) == has, $"{helper.Name} {protocol} {family}: {has}");
                }
            }
        }

        Assert.False(HelperProbe.HasHelper(connection, NetfilterProtocol.Ipv4, "nosuch", 6));
    }

    [Fact]
    public void The_kernel_has_the_classes_limits_and_timeouts_of_the_catalog()
    {
        ExpectationTable table = new(_ns.Namespace);
        int port = 1000;
        foreach (HelperDefinition helper in HelperCatalog.All.Where(helper => helper.Ports.Length > 0))
        {
            ConntrackEntry master = Entries.Make(helper.Protocols[0], "192.0.2.1", ++port, "198.51.100.7", helper.Ports[0]);
            master.MakeDetails().Helper = helper.Name;
            Assert.True(TableFiller.TryCreate(_ns, master), helper.Name);
            using ExpectationCreator creator = table.CreateCreator();
            ExpectationTemplate template = new()
            {
                Master = EntryKey.Of(_ns.Table.Read().Single(entry => entry.SourcePort == port)),
                Source = AddressPrefix.Parse("198.51.100.7"),
                Destination = HostAddress.Parse("192.0.2.1"),
            };
            for (int number = 0; number < helper.Classes.Count; number++)
            {
                // One more than the limit: the kernel removes the oldest.
                int first = 10_000 + (port - 1000) * 400 + number * 50;
                for (int i = 0; i <= helper.Classes[number].MaximumCount; i++)
                    creator.Create((template with { Class = (uint)number, DestinationPort = (ushort)(first + i) }).Make());
                ConntrackExpectation[] made = [.. table.Read().Where(expectation => expectation.DestinationPort >= first && expectation.DestinationPort < first + 50)];
                Assert.True(helper.Classes[number].MaximumCount == made.Length, $"{helper.Name} class {number}: {made.Length}");
                Assert.All(made, expectation => Assert.InRange((int)expectation.TimeoutSeconds!, helper.Classes[number].TimeoutSeconds - 2, helper.Classes[number].TimeoutSeconds));
            }

            NetlinkException refused = Assert.Throws<NetlinkException>(() => creator.Create((template with { Class = (uint)helper.Classes.Count, DestinationPort = 9 }).Make()));
            Assert.Equal(Errno.InvalidArgument, refused.Errno);
        }
    }

    [Fact]
    public void The_question_for_a_helper_leaves_no_trace()
    {
        _ns.Exec("nft", "add table ip keep");
        string before = _ns.Exec("nft", "list", "ruleset");
        using NetlinkConnection connection = NetlinkConnection.Open(_ns.Namespace);
        Assert.True(HelperProbe.HasHelper(connection, NetfilterProtocol.Ipv4, "ftp", 6));
        Assert.False(HelperProbe.HasHelper(connection, NetfilterProtocol.Ipv4, "ftp", 17));
        Assert.Equal(before, _ns.Exec("nft", "list", "ruleset"));
    }

    /// <summary>A kernel without /proc/modules can't load any, so it may be asked.</summary>
    [Fact]
    public void The_kernel_is_asked_if_no_file_decides_and_it_cant_load_modules()
    {
        ConntrackHelper ftp = Read("ftp");
        Assert.Equal(ModuleState.BuiltIn, ftp.State);
        Assert.Null(Read("H.245").State);
        Assert.Null(ftp.NatState);
    }

    [Fact]
    public void The_kernel_is_not_asked_if_that_could_load_a_module()
    {
        _root.Write("proc/modules", "nf_conntrack 200704 1 - Live 0x0");
        _root.Write("proc/sys/kernel/modprobe", "/sbin/modprobe");
        ConntrackHelper ftp = Read("ftp");
        Assert.Null(ftp.State);
        Assert.Null(ftp.Ports);
        Assert.Equal("It is unknown whether the kernel has the helper: no file shows whether nf_conntrack_ftp is built in.", ftp.Effect);
    }

    [Fact]
    public void A_module_that_is_not_loaded_has_an_effect_in_words()
    {
        _root.Write("proc/sys/kernel/osrelease", "6.1");
        _root.Write("lib/modules/6.1/modules.builtin", "kernel/net/netfilter/nf_conntrack_tftp.ko");
        _root.Write("lib/modules/6.1/modules.dep", "a/nf_conntrack_ftp.ko.xz:", "a/nf_conntrack_sip.ko.xz:", "a/nf_nat_tftp.ko.xz:");
        _root.Write("lib/modules/6.1/a/nf_conntrack_ftp.ko.xz", "");
        _root.Write("lib/modules/6.1/a/nf_conntrack_sip.ko.xz", "");
        _root.Write("lib/modules/6.1/a/nf_nat_tftp.ko.xz", "");
        _root.Write("etc/modprobe.d/sip.conf", "options nf_conntrack_sip ports=5060,5062", "install nf_conntrack_sip /bin/false");

        ConntrackHelper ftp = Read("ftp"), sip = Read("sip"), irc = Read("irc"), tftp = Read("tftp");
        Assert.Equal((ModuleState.Available, null, null), (ftp.State, ftp.Ports, ftp.NextPorts));
        Assert.Equal("No connection gets it: nf_conntrack_ftp is not loaded. A rule that names the helper loads it.", ftp.Effect);
        Assert.Equal(ModuleState.Blacklisted, sip.State);
        Assert.Equal([5060, 5062], sip.NextPorts!);
        Assert.Equal($"{_root.Path("etc/modprobe.d/sip.conf")}: install nf_conntrack_sip /bin/false", sip.BlacklistedBy);
        Assert.EndsWith($"rules can't load it ({sip.BlacklistedBy}).", sip.Effect, StringComparison.Ordinal);
        Assert.Equal("Connections can't get it: the kernel has no nf_conntrack_irc.", irc.Effect);
        Assert.Equal(ModuleState.Available, tftp.NatState);
        Assert.EndsWith(" It does not work under NAT: nf_nat_tftp is not loaded.", tftp.Effect, StringComparison.Ordinal);
    }

    /// <summary>After an upgrade of the kernel its folder is gone.</summary>
    [Fact]
    public void A_missing_folder_of_modules_is_named()
    {
        _root.Write("proc/sys/kernel/osrelease", "6.1");
        _root.Write("boot/config-6.1", "CONFIG_NF_CONNTRACK_FTP=m");
        Assert.Equal($"Connections can't get it: the kernel has no nf_conntrack_ftp, and there is no {_root.Path("lib/modules/6.1")}.", Read("ftp").Effect);
    }

    [Fact]
    public void Rules_of_nf_tables_attach_helpers_by_object_by_map_and_by_target()
    {
        _ns.Exec("nft", """
            table inet t {
              counter ftp {
              }
              ct helper std { type "ftp" protocol tcp; }
              ct helper files { type "tftp" protocol udp; }
              ct helper phones { type "sip" protocol udp; }
              ct helper unused { type "irc" protocol tcp; l3proto ip; }
              chain c {
                type filter hook prerouting priority 0;
                tcp dport 21 ct helper set "std"
                tcp dport 2121 ct helper set "std"
                ct helper set udp dport map { 69 : "files", 5060 : "phones", 6969 : "files" }
                counter name tcp dport map { 21 : "ftp", 22 : "ftp" }
                counter name "ftp"
                ct helper "irc" accept
              }
            }
            table ip6 t {
              ct helper std { type "sane" protocol tcp; }
              chain d {
                type filter hook output priority 0;
                tcp dport 6566 ct helper set "std"
              }
            }
            """);
        _ns.Exec("iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "1723", "-j", "CT", "--helper", "pptp");
        _ns.Exec("iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "1724", "-j", "CT", "--notrack");

        Assert.Equal(2, Read("ftp").RuleCount);
        Assert.Equal(1, Read("tftp").RuleCount);
        Assert.Equal(1, Read("sip").RuleCount);
        Assert.Equal(0, Read("irc").RuleCount);
        Assert.Equal("inet t unused", Assert.Single(Read("irc").Objects).ToString());
        Assert.Matches("^ip6 t d handle [0-9]+$", Assert.Single(Read("sane").Rules!).ToString());
        Assert.Matches("^ip raw PREROUTING handle [0-9]+$", Assert.Single(Read("pptp").Rules!).ToString());
        string listed = _ns.Exec("nft", "-a", "list", "ruleset");
        Assert.All(Read("ftp").Rules!, rule => Assert.Matches($"ct helper set \"std\" # handle {rule.Handle}\n", listed));
    }

    [Theory]
    [InlineData("iptables-legacy", "ip")]
    [InlineData("ip6tables-legacy", "ip6")]
    public void Rules_of_the_kernels_own_iptables_attach_helpers(string program, string family)
    {
        _ns.Exec(program, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "-j", "ACCEPT");
        _ns.Exec(program, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "21", "-j", "CT", "--helper", "ftp");
        _ns.Exec(program, "-t", "raw", "-N", "mine");
        _ns.Exec(program, "-t", "raw", "-A", "mine", "-p", "tcp", "--dport", "2121", "-j", "CT", "--helper", "ftp", "--zone", "3");
        _ns.Exec(program, "-t", "raw", "-A", "OUTPUT", "-j", "CT", "--notrack");
        _ns.Exec(program, "-t", "raw", "-A", "OUTPUT", "-j", "mine");
        HelperUse[] rules = [.. Read("ftp").Rules!];
        Assert.Equal([(family, "PREROUTING", 2), (family, "mine", 1)], rules.Select(rule => (rule.Family, rule.Chain!, rule.Number!.Value)));

        // What iptables itself calls the second rule of the chain.
        Assert.Contains("--helper ftp", _ns.Exec(program, "-t", "raw", "-S", rules[0].Chain!, "2"), StringComparison.Ordinal);
        Assert.Contains("--helper ftp", _ns.Exec(program, "-t", "raw", "-S", "mine", "1"), StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_creates_no_table()
    {
        Assert.Equal(0, Read("ftp").RuleCount);
        Assert.Equal("", _ns.Exec("cat", "/proc/net/ip_tables_names"));
        Assert.Equal("", _ns.Exec("cat", "/proc/net/ip6_tables_names"));
        Assert.Equal("", _ns.Exec("nft", "list", "ruleset"));
    }

    [Fact]
    public void A_damaged_table_of_iptables_is_unknown_and_ends()
    {
        _ns.Exec("iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "21", "-j", "CT", "--helper", "ftp");
        XTable table = _ns.Namespace.Run(() => XTable.Read("raw", isIPv6: false))!;
        Assert.Single(IptablesRules.Find(table, isIPv6: false)!);
        Random random = new(19);
        for (int i = 0; i < 2000; i++)
        {
            byte[] entries = [.. table.Entries];
            entries[random.Next(entries.Length)] = (byte)random.Next(256);
            _ = IptablesRules.Find(table with { Entries = entries }, isIPv6: false);
        }

        Assert.Null(IptablesRules.Find(table with { Entries = new byte[300] }, isIPv6: false));
        Assert.Null(IptablesRules.Find(table with { Entries = table.Entries[..^1] }, isIPv6: false));
        Assert.Empty(IptablesRules.Find(XTable.Empty, isIPv6: false)!);
    }

    [Fact]
    public void Without_the_privilege_the_kernel_refuses() => Assert.Equal(
        Errno.NotPermitted, Assert.Throws<NetlinkException>(() => Unprivileged.Run(_ns.Namespace, () => new HelperReader().Read())).Errno);

    [Theory]
    [InlineData("ftp", "ftp", true)]
    [InlineData("ftp", "ftp-2121", true)]
    [InlineData("sip", "sip-1", true)]
    [InlineData("ftp", "tftp", false)]
    [InlineData("ftp", "ftp-", false)]
    [InlineData("ftp", "ftp-proxy", false)]
    [InlineData("netbios-ns", "netbios", false)]
    public void A_helper_owns_the_names_of_its_further_ports(string name, string other, bool isIts) =>
        Assert.Equal(isIts, HelperCatalog.All.Single(helper => helper.Name == name).Owns(other));

    [Theory]
    [InlineData("21", new ushort[] { 21 })]
    [InlineData("21,2121\n", new ushort[] { 21, 2121 })]
    [InlineData("", null)]
    [InlineData("21,ftp", null)]
    [InlineData("70000", null)]
    public void Ports_are_parsed(string text, ushort[]? ports) => Assert.Equal(ports, HelperReader.ParsePorts(text));

    private ConntrackHelper Read(string name) => new HelperReader(_ns.Namespace, _root.Root).Read().Single(helper => helper.Name == name);
}
