using ConntrackPS.Diagnosis;
using ConntrackPS.Fuzzing;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Text;

public class SysctlFormTests
{
    [Fact]
    public void A_listing_becomes_settings_timeouts_and_the_count()
    {
        string[] lines = TextSamples.Lines("sysctl");
        List<object> read = [.. lines.Select(line => (Match: Match(line, out object? item), Item: item)).Where(pair => pair.Match == TextMatch.Read).Select(pair => pair.Item!)];

        Assert.Equal(lines.Count(line => line.Contains("nf_conntrack", StringComparison.Ordinal)), read.Count);
        foreach (string line in lines)
            Assert.Equal(line.Contains("nf_conntrack", StringComparison.Ordinal) ? TextMatch.Read : TextMatch.Skipped, Match(line, out _));

        // The witness is the line itself, under the name that the object says it has.
        Dictionary<string, string> told = lines.Select(line => line.Split(" = ")).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.All(read.OfType<ConntrackTimeout>(), timeout => Assert.Equal(told[timeout.Sysctl!], $"{timeout.TimeoutSeconds}"));
        Assert.All(read.OfType<ConntrackSetting>(), setting => Assert.Equal(told[setting.Sysctl], $"{setting.Number}"));
        Assert.Equal(6, Assert.Single(read.OfType<ConntrackStat>()).Count);
        Assert.Equal(25, read.OfType<ConntrackTimeout>().Count());
    }

    [Fact]
    public void What_a_text_does_not_tell_is_null()
    {
        ConntrackSetting setting = Read<ConntrackSetting>("net.netfilter.nf_conntrack_tcp_loose = 0");
        ConntrackTimeout timeout = Read<ConntrackTimeout>("net.netfilter.nf_conntrack_udp_timeout_stream = 180");

        Assert.Equal(("TcpLoose", false, null, null), (setting.Name, (bool)setting.Value, setting.DefaultValue, setting.IsWritable));
        Assert.Equal((null, null, null), (setting.DiffersFromPersisted, setting.PersistedValue, setting.PersistedIn));
        Assert.Null(Read<ConntrackSetting>("net.netfilter.nf_conntrack_max = 5").Maximum);
        Assert.Equal((TimeoutProtocol.Udp, TimeoutState.Replied, 180u), (timeout.Protocol, timeout.State, timeout.TimeoutSeconds));
        Assert.Equal((null, null, null), (timeout.DefaultSeconds, timeout.DiffersFromPersisted, timeout.PersistedSeconds));
    }

    [Theory]
    [InlineData("net.netfilter.nf_conntrack_max=262144")]
    [InlineData("net.nf_conntrack_max = 262144")]
    [InlineData("net/netfilter/nf_conntrack_max = 262144")]
    [InlineData("net/nf_conntrack_max=262144")]
    [InlineData("-net.netfilter.nf_conntrack_max\t=\t0x40000")]
    [InlineData("net.ipv4.netfilter.ip_conntrack_max = 262144")]
    [InlineData("net.ipv4.ip_conntrack_max = 262144")]
    [InlineData("/proc/sys/net/netfilter/nf_conntrack_max:262144")]
    [InlineData("sysctl -w net.netfilter.nf_conntrack_max=262144")]
    [InlineData("sysctl -q -w net.netfilter.nf_conntrack_max=262144")]
    public void The_maximum_has_many_names(string line)
    {
        ConntrackSetting setting = Read<ConntrackSetting>(line);

        Assert.Equal(("Maximum", 262144L, "net.netfilter.nf_conntrack_max"), (setting.Name, setting.Value, setting.Sysctl));
    }

    [Theory]
    [InlineData("net.ipv4.netfilter.ip_conntrack_tcp_timeout_established = 432000", TimeoutProtocol.Tcp, TimeoutState.Established, 432000u)]
    [InlineData("net.ipv4.netfilter.ip_conntrack_generic_timeout = 600", TimeoutProtocol.Generic, null, 600u)]
    [InlineData("net.netfilter.nf_conntrack_dccp_timeout_partopen = 480", TimeoutProtocol.Dccp, TimeoutState.PartOpen, 480u)]
    [InlineData("net.netfilter.nf_conntrack_icmp_timeout = -1", TimeoutProtocol.Icmp, null, uint.MaxValue)]
    public void Timeouts_of_every_kernel_are_read(string line, TimeoutProtocol protocol, TimeoutState? state, uint seconds)
    {
        ConntrackTimeout timeout = Read<ConntrackTimeout>(line);

        Assert.Equal((protocol, state, seconds), (timeout.Protocol, timeout.State, timeout.TimeoutSeconds));
    }

    [Fact]
    public void A_setting_that_is_not_known_here_is_one_nonetheless()
    {
        ConntrackSetting setting = Read<ConntrackSetting>("net.netfilter.nf_conntrack_vendor_fast_path = 3");

        Assert.Equal(("VendorFastPath", 3L, "net.netfilter.nf_conntrack_vendor_fast_path"), (setting.Name, setting.Value, setting.Sysctl));
    }

    [Theory]
    [InlineData("net.ipv4.ip_forward = 1")]
    [InlineData("net.ipv4.tcp_rmem = 4096\t131072\t6291456")]
    [InlineData("kernel.hostname = r1")]
    [InlineData("vm.swappiness=60")]
    [InlineData("net.ipv4.conf.eth0/100.rp_filter = 1")]
    [InlineData("net.netfilter.nf_log.2 = nf_log_ipv4")]
    [InlineData("fs.binfmt_misc.status = enabled")]
    [InlineData("sysctl: permission denied on key 'net.ipv6.conf.all.stable_secret'")]
    [InlineData("sysctl: reading key \"net.ipv6.conf.lo.stable_secret\"")]
    [InlineData("sysctl -a | grep conntrack")]
    [InlineData("sysctl net.netfilter")]
    [InlineData("sysctl -a")]
    public void Other_lines_of_sysctl_are_passed_over(string line) => Assert.Equal(TextMatch.Skipped, Match(line, out _));

    [Theory]
    [InlineData("tcp      6 299 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1")]
    [InlineData("src=10.0.0.1")]
    [InlineData("proto=6 src=10.0.0.1")]
    [InlineData("we set net.netfilter.nf_conntrack_max = 5 there")]
    [InlineData("net. = 5")]
    [InlineData("example.com = 5")]
    [InlineData("nf_conntrack_max = 5")]
    [InlineData("net.netfilter.nf_conntrack_max")]
    [InlineData("sysctl is a program")]
    [InlineData("sysctl")]
    public void Nothing_else_is_taken_for_one(string line) => Assert.Equal(TextMatch.None, Match(line, out _));

    [Theory]
    [InlineData("net.netfilter.nf_conntrack_max = many", "many")]
    [InlineData("net.netfilter.nf_conntrack_max =", "")]
    [InlineData("net.netfilter.nf_conntrack_max = 5 6", "5 6")]
    [InlineData("net.netfilter.nf_conntrack_max = 99999999999999999999", "99999999999999999999")]
    [InlineData("net.netfilter.nf_conntrack_udp_timeout = 99999999999", "99999999999")]
    [InlineData("net.netfilter.nf_conntrack_count = -1", "-1")]
    public void A_value_that_is_none_is_refused(string line, string found)
    {
        Assert.Equal(TextMatch.Faulty, new SysctlForm().Read(line, out _, out TextFault fault));
        Assert.Equal(found, fault.Found);
        Assert.Equal(found.Length == 0 ? line.Length : line.LastIndexOf(found, StringComparison.Ordinal), fault.Column - 1);
    }

    [Fact]
    public void Mutated_lines_never_throw()
    {
        TextMutator mutator = new([.. TextSamples.Lines("sysctl"), "sysctl -w net.ipv4.netfilter.ip_conntrack_max=5", "/proc/sys/net/netfilter/nf_conntrack_max:5"], 20261129);
        SysctlForm form = new();
        for (int run = 0; run < 30_000; run++)
        {
            if (mutator.Next().Trim() is not { Length: > 0 } line)
                continue;
            if (form.Read(line, out object? item, out _) == TextMatch.Read && item is ConntrackSetting setting)
                Assert.NotNull(setting.Value);
        }

        Assert.Equal(TextMatch.None, form.Read(new string('-', 2_000_000) + "=", out _, out _));
        Assert.Equal(TextMatch.None, form.Read("sysctl " + new string('-', 2_000_000) + " x", out _, out _));
    }

    private static T Read<T>(string line)
    {
        Assert.Equal(TextMatch.Read, Match(line, out object? item));
        return Assert.IsType<T>(item);
    }

    private static TextMatch Match(string line, out object? item) => new SysctlForm().Read(line, out item, out _);
}
