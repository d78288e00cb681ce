using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

public sealed class PersistedSettingsTests : IDisposable
{
    private const string Line = "net.netfilter.nf_conntrack_max = ";

    private readonly PersistenceFixture _files = new();

    private PersistedValue? Maximum => PersistedSettings.Read(_files.Root).Find("nf_conntrack_max");

    public void Dispose() => _files.Dispose();

    [Fact]
    public void No_file_sets_nothing() => Assert.Null(Maximum);

    [Fact]
    public void The_last_file_by_name_wins_wherever_it_is()
    {
        _files.Write("usr/lib/sysctl.d/80-vendor.conf", Line + 2);
        _files.Write("etc/sysctl.d/10-first.conf", Line + 1);
        _files.Write("run/sysctl.d/50-run.conf", Line + 3);
        Assert.Equal((2L, _files.Path("usr/lib/sysctl.d/80-vendor.conf")), (Maximum!.Number, Maximum.File));
    }

    [Fact]
    public void A_file_hides_those_of_its_name_in_later_directories()
    {
        _files.Write("usr/lib/sysctl.d/50-x.conf", Line + 2);
        _files.Write("etc/sysctl.d/50-x.conf", "# nothing");
        Assert.Null(Maximum);
    }

    [Fact]
    public void The_last_line_of_a_file_wins()
    {
        _files.Write("etc/sysctl.d/a.conf", Line + 1, "net/netfilter/nf_conntrack_max=2", "-net.nf_conntrack_max = 3", "#" + Line + 4, ";" + Line + 5);
        Assert.Equal(3L, Maximum!.Number);
    }

    [Fact]
    public void Sysctl_conf_is_read_last()
    {
        _files.Write("etc/sysctl.d/99-z.conf", Line + 1);
        _files.Write("etc/sysctl.conf", Line + 2);
        Assert.Equal(2L, Maximum!.Number);
    }

    [Fact]
    public void To_systemd_sysctl_conf_has_its_place_where_a_link_puts_it()
    {
        _files.Write("usr/lib/systemd/systemd-sysctl", "a program");
        _files.Write("etc/sysctl.conf", Line + 2);
        _files.Write("etc/sysctl.d/99-z.conf", Line + 1);
        File.CreateSymbolicLink(_files.Path("etc/sysctl.d/99-sysctl.conf"), "../sysctl.conf");
        Assert.Equal(1L, Maximum!.Number);
        Assert.Equal(2L, PersistedSettings.Read(_files.Root).FindFor("nf_conntrack_max", BootReaders.Procps)!.Number);
    }

    /// <summary>Without a link systemd does not read it.</summary>
    [Fact]
    public void To_systemd_sysctl_conf_says_nothing()
    {
        _files.Write("lib/systemd/systemd-sysctl", "a program");
        _files.Write("etc/sysctl.conf", Line + 2);
        Assert.Null(Maximum);
    }

    /// <summary>Every line after ours, the programs that read it, and the module's options.</summary>
    [Fact]
    public void All_that_comes_after_ours_is_told()
    {
        _files.Write("etc/sysctl.d/99-conntrackps.conf", Line + 5000, "net.netfilter.nf_conntrack_buckets = 9", "net.netfilter.nf_conntrack_acct = 0");
        _files.Write("etc/sysctl.d/zz-local.conf", "# mine", "net/netfilter/nf_conntrack_max=1000");
        _files.Write("etc/sysctl.conf", "net.ipv4.netfilter.ip_conntrack_max=65536", "net.nf_conntrack_max = 2000");
        _files.Write("etc/default/ufw", "IPT_SYSCTL=/etc/ufw/sysctl.conf");
        _files.Write("etc/ufw/sysctl.conf", "net/netfilter/nf_conntrack_max=3000");
        _files.Write("etc/modprobe.d/nf_conntrack_hashsize.conf", "options nf_conntrack hashsize = 262144", "options nf-conntrack \\", " hashsize=7 acct=1");
        _files.Write("etc/modprobe.d/a.conf", "options nf_conntrack hashsize=8");
        _files.Write("usr/lib/sysctl.d/99-zzz.conf", "net.netfilter.nf_conntrack_acct=0");
        PersistedSettings settings = PersistedSettings.Read(_files.Root);
        string ours = _files.Path("etc/sysctl.d/99-conntrackps.conf");
        Assert.Equal(
            [
                $"{_files.Path("etc/sysctl.d/zz-local.conf")} line 2 to 1000 (systemd-sysctl, sysctl --system)",
                $"{_files.Path("etc/sysctl.conf")} line 2 to 2000 (sysctl --system)",
                $"{_files.Path("etc/ufw/sysctl.conf")} line 1 to 3000 (ufw, once it is enabled)",
            ],
            settings.After("net.netfilter.nf_conntrack_max", ours).Select(line => line.ToString()));
        Assert.Equal(
            [$"{_files.Path("etc/modprobe.d/nf_conntrack_hashsize.conf")} line 2 to 7 (modprobe, if the module is loaded later)"],
            settings.After("net.netfilter.nf_conntrack_buckets", ours).Select(line => line.ToString()));
        Assert.Empty(settings.After("net.netfilter.nf_conntrack_acct", ours));
        Assert.Collection(
            settings.WithoutEffect,
            line => Assert.Contains("etc/sysctl.conf line 1 sets net.ipv4.netfilter.ip_conntrack_max", line, StringComparison.Ordinal),
            line => Assert.Contains("nf_conntrack_hashsize.conf line 1 sets the option hashsize of nf_conntrack with blanks", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ENABLED=no", null)]
    [InlineData("ENABLED=yes", 3L)]
    [InlineData("ENABLED=", 1L)]
    public void Ufw_has_the_last_word_where_it_is_on(string line, long? expected)
    {
        _files.Write("etc/sysctl.conf", Line + 1);
        _files.Write("etc/default/ufw", "# IPT_SYSCTL=/x", "IPT_SYSCTL=\"/etc/ufw/sysctl.conf\" # where");
        _files.Write("etc/ufw/ufw.conf", line);
        _files.Write("etc/ufw/sysctl.conf", "net/netfilter/nf_conntrack_max=3");
        Assert.Equal(expected ?? 1L, Maximum!.Number);
        Assert.Equal(expected is not null, PersistedSettings.Read(_files.Root).FindFor("nf_conntrack_max", BootReaders.Ufw) is not null);
    }

    [Theory]
    [InlineData("18446744073709551615", "18446744073709551615")]
    [InlineData("18446744073709551616", null)]
    [InlineData("0x1F", "31")]
    [InlineData("010", "8")]
    [InlineData("09", null)]
    [InlineData("30 # comment", "30")]
    [InlineData("-1", "-1")]
    [InlineData("31;", null)]
    [InlineData("1_000", null)]
    public void A_value_is_the_number_that_the_kernel_reads(string text, string? number)
    {
        _files.Write("etc/sysctl.d/a.conf", Line + text);
        Assert.Equal(number, Maximum!.Number?.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Other_files_and_broken_links_say_nothing()
    {
        _files.Write("etc/sysctl.d/README", Line + 1);
        File.CreateSymbolicLink(_files.Path("etc/sysctl.d/50-gone.conf"), "/no/such/file");
        Assert.Null(Maximum);
    }

    [Fact]
    public void A_value_that_is_no_number_is_kept_as_text()
    {
        _files.Write("etc/sysctl.d/a.conf", Line + "lots");
        Assert.Equal((null, "lots"), (Maximum!.Number, Maximum.Text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("# a = 1")]
    [InlineData("; a = 1")]
    [InlineData("= 1")]
    [InlineData("no assignment")]
    public void A_line_that_sets_nothing_is_no_assignment(string line) => Assert.Null(SysctlLine.Parse(line));
}
