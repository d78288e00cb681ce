using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

public sealed class SettingPersisterTests : IDisposable
{
    private const string Ours = "etc/sysctl.d/99-conntrackps.conf";
    private const string Established = "nf_conntrack_tcp_timeout_established";
    private const string EstablishedLine = "net.netfilter.nf_conntrack_tcp_timeout_established = 600";

    private readonly PersistenceFixture _files = new();

    private SettingPersister Persister => new(_files.Root);

    public void Dispose() => _files.Dispose();

    [Fact]
    public void A_value_makes_one_file_that_says_whose_it_is()
    {
        Assert.Equal([_files.Path(Ours)], Persister.Persist((Established, 600)));
        string[] lines = File.ReadAllLines(_files.Path(Ours));
        Assert.Equal(2, lines.Length);
        Assert.StartsWith("# Written by ConntrackPS", lines[0], StringComparison.Ordinal);
        Assert.Equal(EstablishedLine, lines[1]);
        Assert.Single(_files.Content());
        Assert.Equal((UnixFileMode)0x1a4, OperatingSystem.IsLinux() ? File.GetUnixFileMode(_files.Path(Ours)) : default);
    }

    [Fact]
    public void A_file_of_ours_is_known_whatever_had_it_written()
    {
        new SettingPersister(_files.Root, "Set-ConntrackTimeout, Set-ConntrackSetting -Persist").Persist((Established, 600));
        Assert.Equal(
            ["# Written by ConntrackPS (Set-ConntrackTimeout, Set-ConntrackSetting -Persist). Other lines are kept.", EstablishedLine], File.ReadAllLines(_files.Path(Ours)));
        Persister.Persist((Established, 700));
        Assert.Equal(2, File.ReadAllLines(_files.Path(Ours)).Length);
        Persister.Persist((Established, null));
        Assert.False(File.Exists(_files.Path(Ours)));
    }

    [Fact]
    public void What_sysctl_reads_there_is_what_was_written()
    {
        Persister.Persist((Established, 600), ("nf_conntrack_udp_timeout", 31));
        using NetworkNamespaceFixture ns = new();
        ns.Exec("sysctl", "-q", "-p", _files.Path(Ours));
        Assert.Equal("600", ns.Exec("sysctl", "-n", "net.netfilter." + Established).Trim());
        Assert.Equal("31", ns.Exec("sysctl", "-n", "net.netfilter.nf_conntrack_udp_timeout").Trim());
    }

    [Fact]
    public void Lines_of_others_stay_where_they_are_byte_for_byte()
    {
        byte[] others = [.. "# caf\xe9 in Latin-1\nnet.ipv4.ip_forward=1\n\n"u8.ToArray().Select(value => value), 0xff, (byte)'\n'];
        Directory.CreateDirectory(Path.GetDirectoryName(_files.Path(Ours))!);
        File.WriteAllBytes(_files.Path(Ours), [.. others, .. "net.netfilter.nf_conntrack_max = 1\n# the end"u8]);
        Persister.Persist((Established, 600));
        byte[] now = File.ReadAllBytes(_files.Path(Ours));
        Assert.True(now.AsSpan().IndexOf(others) > 0);
        Assert.EndsWith("net.netfilter.nf_conntrack_max = 1\n# the end\n" + EstablishedLine + "\n", File.ReadAllText(_files.Path(Ours)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("net.netfilter.nf_conntrack_tcp_timeout_established=5")]
    [InlineData("  net/netfilter/nf_conntrack_tcp_timeout_established = 5  ")]
    [InlineData("-net.netfilter.nf_conntrack_tcp_timeout_established = 5")]
    public void A_line_of_the_same_parameter_is_replaced_in_its_place(string line)
    {
        _files.Write(Ours, "# first", line, "a.b = 1", line);
        Persister.Persist((Established, 600));
        Assert.Equal(["# first", EstablishedLine, "a.b = 1"], File.ReadAllLines(_files.Path(Ours))[1..]);
    }

    [Fact]
    public void The_same_value_again_writes_nothing()
    {
        Persister.Persist((Established, 600));
        DateTime written = File.GetLastWriteTimeUtc(_files.Path(Ours));
        Assert.Empty(Persister.Persist((Established, 600)));
        Assert.Equal(written, File.GetLastWriteTimeUtc(_files.Path(Ours)));
    }

    [Fact]
    public void Without_a_value_our_line_goes_and_an_empty_file_with_it()
    {
        Persister.Persist((Established, 600), ("nf_conntrack_max", 5000));
        Persister.Persist((Established, null));
        Assert.DoesNotContain(Established, File.ReadAllText(_files.Path(Ours)), StringComparison.Ordinal);
        Persister.Persist(("nf_conntrack_max", null));
        Assert.Empty(_files.Content());
        Assert.Empty(Persister.Persist(("nf_conntrack_max", null)));
    }

    /// <summary>An empty file is a mask too, for files of the same name in later directories.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("# theirs\r\nnet.ipv4.ip_forward=1")]
    public void Where_there_is_nothing_of_ours_to_take_away_nothing_changes(string text)
    {
        _files.WriteText(Ours, text);
        string before = _files.Listing();
        Assert.Empty(Persister.Persist((Established, null)));
        Assert.Equal(before, _files.Listing());
        Assert.Equal(text, _files.Text(Ours));
    }

    [Fact]
    public void A_line_of_ours_in_a_file_of_theirs_goes_and_the_file_stays()
    {
        _files.WriteText(Ours, EstablishedLine + "\n");
        Persister.Persist((Established, null));
        Assert.Equal("", _files.Text(Ours));
    }

    [Fact]
    public void The_second_name_of_the_maximum_is_the_same_parameter()
    {
        _files.Write(Ours, "net.nf_conntrack_max = 7");
        Persister.Persist(("nf_conntrack_max", 5000));
        Assert.Equal(["net.netfilter.nf_conntrack_max = 5000"], File.ReadAllLines(_files.Path(Ours))[1..]);
    }

    [Fact]
    public void Buckets_become_the_module_s_option_too_beside_others()
    {
        _files.Write("etc/modprobe.d/conntrackps.conf", "options nf_conntrack acct=1 hashsize=9", "options other a=b");
        Assert.Equal(2, Persister.Persist(("nf_conntrack_buckets", 65536)).Count);
        Assert.Equal(["options nf_conntrack acct=1 hashsize=65536", "options other a=b"], File.ReadAllLines(_files.Path("etc/modprobe.d/conntrackps.conf"))[1..]);
    }

    /// <summary>The results of kmod 30 for these lines were verified with <c>modprobe -c</c>: a backslash at the end continues a line, even
    /// a comment; only a whole line is a comment; and the kernel uses the last of two values.</summary>
    [Theory]
    [InlineData("options nf-conntrack hashsize=9\n", "options nf-conntrack hashsize=65536\n")]
    [InlineData("options nf_conntrack hashsize=9 # as agreed\n", "options nf_conntrack hashsize=65536 # as agreed\n")]
    [InlineData("options nf_conntrack acct=1 # as agreed\n", "options nf_conntrack acct=1 hashsize=65536 # as agreed\n")]
    [InlineData("options nf_conntrack acct=1 # was hashsize=4\n", "# was hashsize=4\noptions nf_conntrack acct=1 hashsize=65536\n")]
    [InlineData("options nf_conntrack acct=1 \\\n  hashsize=9\n", "options nf_conntrack acct=1   hashsize=65536\n")]
    [InlineData("options \\\nnf_conntrack \\\nhashsize=9\n# end", "options nf_conntrack hashsize=65536\n# end")]
    [InlineData("# a comment \\\noptions nf_conntrack hashsize=9\n", "# a comment \\\noptions nf_conntrack hashsize=9\noptions nf_conntrack hashsize=65536\n")]
    [InlineData("options nf_conntrack hashsize = 9 acct=1\n", "options nf_conntrack hashsize=65536 acct=1\n")]
    [InlineData("options nf_conntrack hashsize =9\n", "options nf_conntrack hashsize=65536\n")]
    [InlineData("options nf_conntrack expect_hashsize=9\n", "options nf_conntrack expect_hashsize=9 hashsize=65536\n")]
    [InlineData("options nf_conntrack hashsize=1\noptions other a=b\noptions nf-conntrack acct=1 hashsize=2\noptions nf_conntrack hashsize=3\n",
        "options nf_conntrack hashsize=65536\noptions other a=b\noptions nf-conntrack acct=1\n")]
    [InlineData("\toptions  nf_conntrack\thashsize=9\r\n# x\r\n", "\toptions  nf_conntrack\thashsize=65536\r\n# x\r\n")]
    [InlineData("options other a=b \\\n", "options nf_conntrack hashsize=65536\noptions other a=b \\\n")]
    [InlineData("options other a=b \\", "options nf_conntrack hashsize=65536\noptions other a=b \\")]
    public void The_module_s_option_is_found_as_modprobe_finds_it(string before, string after)
    {
        _files.WriteText("etc/modprobe.d/conntrackps.conf", before);
        Persister.Persist(("nf_conntrack_buckets", 65536));
        string text = _files.Text("etc/modprobe.d/conntrackps.conf");
        string header = text[..(text.IndexOf('\n', StringComparison.Ordinal) + 1)];
        Assert.StartsWith("# Written by ConntrackPS", header, StringComparison.Ordinal);
        Assert.Equal(before.Contains('\r', StringComparison.Ordinal), header.EndsWith("\r\n", StringComparison.Ordinal));
        Assert.Equal(after, text[header.Length..]);
        Assert.Single(Persister.Persist(("nf_conntrack_buckets", 4096)), file => file.EndsWith("modprobe.d/conntrackps.conf", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("a.b = 1\r\nnet.netfilter.nf_conntrack_tcp_timeout_established = 5\r\n", "a.b = 1\r\n" + EstablishedLine + "\r\n")]
    [InlineData("a.b = 1\r\n", "a.b = 1\r\n" + EstablishedLine + "\r\n")]
    [InlineData("net.netfilter.nf_conntrack_tcp_timeout_established=5\r\n# the end", EstablishedLine + "\r\n# the end")]
    [InlineData("# the end", "# the end\n" + EstablishedLine + "\n")]
    [InlineData("a.b = 1\r\nc.d = 2\n", "a.b = 1\r\nc.d = 2\n" + EstablishedLine + "\r\n")]
    public void Line_ends_stay(string before, string after)
    {
        _files.WriteText(Ours, before);
        Persister.Persist((Established, 600));
        string text = _files.Text(Ours);
        Assert.Equal(after, text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..]);
    }

    /// <summary>systemd-sysctl 252 treats the text after a carriage return or a NUL as another line, sysctl of procps 4.0.2 does not. Such
    /// a line stays unchanged, and ours comes after it, so it takes effect in both.</summary>
    [Theory]
    [InlineData("# was:\rnet.netfilter.nf_conntrack_tcp_timeout_established=5\n")]
    [InlineData("# was:\0net.netfilter.nf_conntrack_tcp_timeout_established=5\n")]
    [InlineData("net.netfilter.nf_conntrack_tcp_timeout_established=5\ra.b = 1\n")]
    [InlineData("net.netfilter.nf_conntrack_tcp_timeout_established=5\n# was:\rnet.netfilter.nf_conntrack_tcp_timeout_established=6\n", "# was:\rnet.netfilter.nf_conntrack_tcp_timeout_established=6\n")]
    public void A_carriage_return_within_a_line_does_not_end_it(string before, string? kept = null)
    {
        _files.WriteText(Ours, before);
        Persister.Persist((Established, 600));
        string text = _files.Text(Ours);
        Assert.Equal((kept ?? before) + EstablishedLine + "\n", text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..]);
    }

    [Fact]
    public void A_module_is_loaded_at_boot_before_its_sysctls_are_set()
    {
        new SettingPersister(_files.ModularRoot).Persist((Established, 600));
        Assert.Equal("nf_conntrack", File.ReadAllLines(_files.Path("etc/modules-load.d/conntrackps.conf"))[^1]);
    }

    [Theory]
    [InlineData("etc/modules-load.d/firewall.conf")]
    [InlineData("usr/lib/modules-load.d/firewall.conf")]
    [InlineData("etc/modules")]
    [InlineData("etc/modules-load.d/firewall.conf", "nf-conntrack")]
    [InlineData("etc/modules-load.d/firewall.conf", " nf_conntrack\r")]
    public void A_module_that_is_loaded_at_boot_already_is_left_to_whoever_does(string file, string line = "nf_conntrack")
    {
        _files.Write(file, "# modules", line);
        new SettingPersister(_files.ModularRoot).Persist((Established, 600));
        Assert.Equal(2, _files.Content().Count);
    }

    [Theory]
    [InlineData("/elsewhere.conf")]
    [InlineData("../../elsewhere.conf")]
    public void A_link_is_followed(string target)
    {
        _files.Write("elsewhere.conf", "a.b = 1");
        Directory.CreateDirectory(Path.GetDirectoryName(_files.Path(Ours))!);
        File.CreateSymbolicLink(_files.Path(Ours), target);
        Persister.Persist((Established, 600));
        Assert.NotNull(new FileInfo(_files.Path(Ours)).LinkTarget);
        Assert.Contains(EstablishedLine, File.ReadAllLines(_files.Path("elsewhere.conf")));
    }

    [Fact]
    public void The_file_s_mode_stays()
    {
        if (!OperatingSystem.IsLinux())
            return;
        _files.Write(Ours, "a.b = 1");
        File.SetUnixFileMode(_files.Path(Ours), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Persister.Persist((Established, 600));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_files.Path(Ours)));
    }

    [Fact]
    public void A_failure_changes_nothing_on_disk()
    {
        _files.Write(Ours, "net.netfilter.nf_conntrack_max = 1");

        // The second file can't be written, because its directory is a file.
        _files.Write("etc/modprobe.d", "in the way");
        Dictionary<string, string> before = _files.Content();
        PersistenceException exception = Assert.Throws<PersistenceException>(() => Persister.Persist(("nf_conntrack_buckets", 65536)));
        Assert.Equal(_files.Path("etc/modprobe.d/conntrackps.conf"), exception.File);
        Assert.Equal(before, _files.Content());
    }

    [Fact]
    public void A_failure_brings_every_byte_back()
    {
        _files.WriteText(Ours, "a.b = 1\r\nnet.netfilter.nf_conntrack_buckets=1\n# caf\xe9\rthe end");
        _files.Write("etc/modprobe.d", "in the way");
        string before = _files.Text(Ours);
        Assert.Throws<PersistenceException>(() => Persister.Persist(("nf_conntrack_buckets", 65536)));
        Assert.Equal(before, _files.Text(Ours));
    }

    [Fact]
    public void A_file_that_was_not_there_is_not_there_after_a_failure()
    {
        _files.Write("etc/modprobe.d", "in the way");
        Assert.Throws<PersistenceException>(() => Persister.Persist(("nf_conntrack_buckets", 65536)));
        Assert.Equal(["etc/modprobe.d"], _files.Content().Keys);
    }

    /// <summary>On a disk of two pages, one of them free, a larger file can't be written.</summary>
    [Fact]
    public void A_full_disk_leaves_the_old_content_and_no_leftover()
    {
        string directory = _files.Path("etc/sysctl.d");
        Directory.CreateDirectory(directory);
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=8k", "none", directory);
        try
        {
            _files.Write(Ours, "# " + new string('x', 4000));
            File.WriteAllText(_files.Path("etc/sysctl.d/filler"), new string('y', 4000));
            Dictionary<string, string> before = _files.Content();
            Assert.Throws<PersistenceException>(() => Persister.Persist((Established, 600)));
            Assert.Equal(before, _files.Content());
        }
        finally
        {
            Shell.Run("umount", directory);
        }
    }

    [Fact]
    public void Many_at_once_lose_none_of_each_other_s_lines()
    {
        Parallel.For(0, 40, number => new SettingPersister(_files.Root).Persist(($"nf_conntrack_made_up_{number}", number)));
        Assert.Equal(
            Enumerable.Range(0, 40).Select(number => $"net.netfilter.nf_conntrack_made_up_{number} = {number}").Order(StringComparer.Ordinal),
            File.ReadAllLines(_files.Path(Ours))[1..].Order(StringComparer.Ordinal));
        Assert.Single(_files.Content());
    }
}
