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
    public void Sysctl_conf_has_its_place_where_a_link_puts_it()
    {
        _files.Write("etc/sysctl.conf", Line + 2);
        _files.Write("etc/sysctl.d/99-z.conf", Line + 1);
        File.CreateSymbolicLink(_files.Path("etc/sysctl.d/99-sysctl.conf"), "../sysctl.conf");
        Assert.Equal(1L, Maximum!.Number);
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
