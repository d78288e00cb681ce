using ConntrackPS.Helpers;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Tuning;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Helpers;

/// <summary>The files of boot for helpers, on made-up systems.</summary>
public sealed class HelperBootFilesTests : IDisposable
{
    private const string Load = "etc/modules-load.d/conntrackps.conf";
    private const string Options = "etc/modprobe.d/conntrackps.conf";
    private const string Header = "# Written by ConntrackPS (a test). Other lines are kept.";

    private readonly PersistenceFixture _root = new();

    public HelperBootFilesTests()
    {
        // sip is built in; the others are modules.
        _root.Write("proc/sys/kernel/osrelease", "6.1");
        _root.Write("proc/modules", "nf_conntrack_ftp 1 0 - Live 0x0", "nf_nat_ftp 1 0 - Live 0x0", "nf_conntrack_h323 1 0 - Live 0x0", "nf_nat_h323 1 0 - Live 0x0");
        _root.Write("lib/modules/6.1/modules.builtin", "a/nf_conntrack_sip.ko", "a/nf_nat_sip.ko");
    }

    public void Dispose() => _root.Dispose();

    [Fact]
    public void Modules_are_named_below_their_helper()
    {
        Assert.Equal([_root.Path(Load)], Write("ftp"));
        Assert.Equal([Header, "# Modules of the helper ftp:", "nf_conntrack_ftp", "nf_nat_ftp"], Lines(Load));
        Assert.Empty(Write("ftp"));
        Assert.Equal([_root.Path(Load)], Write());
        Assert.False(File.Exists(_root.Path(Load)));
    }

    [Fact]
    public void What_is_built_in_is_not_named()
    {
        Assert.Empty(Write("sip"));
        Assert.False(Directory.Exists(_root.Path("etc")));
    }

    [Fact]
    public void A_module_of_two_helpers_stays_for_the_other()
    {
        Write("RAS", "Q.931");
        Assert.Equal([Header, "# Modules of the helper RAS:", "nf_conntrack_h323", "nf_nat_h323"], Lines(Load));
        Write("Q.931");
        Assert.Equal([Header, "# Modules of the helper Q.931:", "nf_conntrack_h323", "nf_nat_h323"], Lines(Load));
    }

    [Fact]
    public void Lines_of_others_stay_where_they_are()
    {
        _root.WriteText(Load, "nf_conntrack\n# mine\nnf-nat-ftp\nloop");
        Write("ftp");
        Assert.Equal($"{Header}\nnf_conntrack\n# mine\nnf-nat-ftp\nloop\n# Modules of the helper ftp:\nnf_conntrack_ftp\n", _root.Text(Load));
        File.AppendAllText(_root.Path(Load), "nf_tables\n");
        Write("ftp", "RAS");
        Assert.Equal(
            $"{Header}\nnf_conntrack\n# mine\nnf-nat-ftp\nloop\n# Modules of the helper ftp:\nnf_conntrack_ftp\n"
                + "# Modules of the helper RAS:\nnf_conntrack_h323\nnf_nat_h323\nnf_tables\n",
            _root.Text(Load));
        Write();
        Assert.Equal($"{Header}\nnf_conntrack\n# mine\nnf-nat-ftp\nloop\nnf_tables\n", _root.Text(Load));
    }

    /// <summary>As an administrator wrote it; without our line above.</summary>
    [Theory]
    [InlineData("nf_conntrack_ftp\n")]
    [InlineData("# Helper ftp\nnf_conntrack_ftp\n")]
    [InlineData("# Modules of the helper nosuch:\nnf_conntrack_ftp\n")]
    public void A_module_that_is_not_ours_is_not_taken_out(string text)
    {
        _root.WriteText(Load, text);
        Assert.Empty(Write());
        Assert.Equal(text, _root.Text(Load));
    }

    [Theory]
    [InlineData("usr/lib/modules-load.d/ftp.conf")]
    [InlineData("etc/modules")]
    public void A_module_that_another_file_loads_is_not_named_again(string file)
    {
        _root.Write(file, "nf-nat-ftp");
        Write("ftp");
        Assert.Equal([Header, "# Modules of the helper ftp:", "nf_conntrack_ftp"], Lines(Load));
    }

    [Theory]
    [InlineData(null, true, null)]
    [InlineData(true, true, null)]
    [InlineData(false, false, null)]
    [InlineData(false, true, "options nf_conntrack nf_conntrack_helper=0")]
    public void Automatic_assignment_stays_off_if_it_is_off(bool? isAssigned, bool isModular, string? line)
    {
        Write(isAssigned, isModular, "sip");
        Assert.Equal(line is null ? [] : [Header, line], Lines(Options));
        Write(isAssigned, isModular);
        Assert.False(File.Exists(_root.Path(Options)));
    }

    [Theory]
    [InlineData("options nf_conntrack hashsize=9\n", "options nf_conntrack hashsize=9 nf_conntrack_helper=0\n", "options nf_conntrack hashsize=9\n")]
    [InlineData("options nf_conntrack nf_conntrack_helper=1\n", "options nf_conntrack nf_conntrack_helper=1\n", "options nf_conntrack nf_conntrack_helper=1\n")]
    [InlineData("options nf_conntrack nf-conntrack-helper=1 acct=1\n", "options nf_conntrack nf-conntrack-helper=1 acct=1\n", "options nf_conntrack nf-conntrack-helper=1 acct=1\n")]
    [InlineData("options nf_conntrack_ftp ports=21,2121\n", "options nf_conntrack_ftp ports=21,2121\noptions nf_conntrack nf_conntrack_helper=0\n", "options nf_conntrack_ftp ports=21,2121\n")]
    [InlineData("options nf_conntrack acct=1 # nf_conntrack_helper=0\n",
        "# nf_conntrack_helper=0\noptions nf_conntrack acct=1 nf_conntrack_helper=0\n", "# nf_conntrack_helper=0\noptions nf_conntrack acct=1\n")]
    public void Other_options_stay(string before, string with, string after)
    {
        _root.WriteText(Options, before);
        Write(false, true, "sip");
        Assert.Equal(with, WithoutHeader());
        Write(false, true);
        Assert.Equal(after, WithoutHeader());

        string WithoutHeader() => _root.Text(Options).Replace(Header + "\n", "", StringComparison.Ordinal);
    }

    [Fact]
    public void Both_files_change_or_none()
    {
        _root.Folder(Options);
        string before = _root.Listing();
        PersistenceException exception = Assert.Throws<PersistenceException>(() => Write(false, true, "ftp"));
        Assert.Equal(_root.Path(Options), exception.File);
        Assert.Equal(before, _root.Listing());
        Assert.False(File.Exists(_root.Path(Load)));
    }

    private IReadOnlyList<string> Write(params string[] helpers) => Write(null, false, helpers);

    private IReadOnlyList<string> Write(bool? isAssignedByKernel, bool isModular, params string[] helpers)
    {
        using RootFolder folder = RootFolder.TryOpen(_root.Root.Path)!;
        using KernelModules modules = new(_root.Root);
        FileChanges files = new(_root.Root, folder);
        HelperBootFiles.AddTo(files, "a test", BootModules.Read(_root.Root, folder).Others, modules, [.. helpers.Select(helper => HelperCatalog.Find(helper)!)], isAssignedByKernel, isModular);
        return files.Apply();
    }

    private string[] Lines(string file) => File.Exists(_root.Path(file)) ? File.ReadAllLines(_root.Path(file)) : [];
}
