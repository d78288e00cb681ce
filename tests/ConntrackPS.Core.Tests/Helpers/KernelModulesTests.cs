using System.IO.Compression;
using System.Text;
using ConntrackPS.Helpers;
using ConntrackPS.Tests.Tuning;

namespace ConntrackPS.Tests.Helpers;

/// <summary>The state of modules, from the files of made-up systems.</summary>
public sealed class KernelModulesTests : IDisposable
{
    private const string Release = "6.1.0-18-amd64";
    private const string Modules = $"usr/lib/modules/{Release}/";
    private const string Ftp = "nf_conntrack_ftp";
    private const string FtpOption = "NF_CONNTRACK_FTP";

    private readonly PersistenceFixture _root = new();

    public KernelModulesTests()
    {
        _root.Write("proc/sys/kernel/osrelease", Release);
        _root.Folder("usr/lib");
        File.CreateSymbolicLink(_root.Path("lib"), "usr/lib");
    }

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData(".ko")]
    [InlineData(".ko.xz")]
    [InlineData(".ko.zst")]
    [InlineData(".ko.gz")]
    public void A_module_of_modules_dep_whose_file_exists_is_available(string extension)
    {
        WriteModule(extension);
        Assert.Equal(ModuleState.Available, State());
    }

    [Fact]
    public void A_module_of_modules_dep_whose_file_is_gone_is_missing()
    {
        WriteModule(".ko.xz");
        File.Delete(_root.Path(Modules + "kernel/net/netfilter/nf_conntrack_ftp.ko.xz"));
        Assert.Equal(ModuleState.Missing, State());
    }

    [Fact]
    public void A_module_of_proc_modules_is_loaded_though_it_is_blacklisted()
    {
        WriteModule(".ko");
        _root.Write("proc/modules", "nf_conntrack_ftp 24576 0 - Live 0x0000000000000000", "nf_conntrack 200704 1 nf_conntrack_ftp, Live 0x0");
        _root.Write("etc/modprobe.d/no.conf", "blacklist nf_conntrack_ftp");
        Assert.Equal(ModuleState.Loaded, State());
        Assert.Equal($"{_root.Path("etc/modprobe.d/no.conf")}: blacklist nf_conntrack_ftp", Blocked());
    }

    [Fact]
    public void A_folder_of_sys_without_initstate_is_of_a_module_that_is_built_in()
    {
        _root.Folder("sys/module/nf_conntrack_ftp/parameters");
        Assert.Equal(ModuleState.BuiltIn, State());
        _root.Write("sys/module/nf_conntrack_ftp/initstate", "live");
        Assert.Equal(ModuleState.Loaded, State());
    }

    [Fact]
    public void Modules_builtin_names_what_is_built_in()
    {
        _root.Write(Modules + "modules.builtin", "kernel/net/netfilter/nf-conntrack-ftp.ko");
        Assert.Equal(ModuleState.BuiltIn, State());
    }

    [Theory]
    [InlineData("CONFIG_NF_CONNTRACK_FTP=y", ModuleState.BuiltIn)]
    [InlineData("CONFIG_NF_CONNTRACK_FTP=m", ModuleState.Missing)]
    [InlineData("# CONFIG_NF_CONNTRACK_FTP is not set", ModuleState.Missing)]
    public void The_build_options_decide_without_a_folder_of_modules(string line, ModuleState expected)
    {
        _root.Write($"boot/config-{Release}", "# Linux", "CONFIG_NF_CONNTRACK=y", line);
        Assert.Equal(expected, State());
        File.Delete(_root.Path($"boot/config-{Release}"));
        using (GZipStream packed = new(File.Create(_root.Path("proc/config.gz")), CompressionMode.Compress))
            packed.Write(Encoding.ASCII.GetBytes($"CONFIG_NF_CONNTRACK=y\n{line}\n"));
        Assert.Equal(expected, State());
    }

    [Fact]
    public void Without_any_of_the_files_the_state_is_unknown()
    {
        Assert.Null(State());
        _root.Write("proc/modules", "loop 32768 0 - Live 0x0");
        Assert.Null(State());

        // modules.dep alone could lack a module that is built in.
        _root.Write(Modules + "modules.dep", "kernel/drivers/block/loop.ko:");
        Assert.Null(State());
        _root.Write(Modules + "modules.builtin", "kernel/fs/ext4/ext4.ko");
        Assert.Equal(ModuleState.Missing, State());
    }

    [Theory]
    [InlineData("blacklist nf_conntrack_ftp", ModuleState.Blacklisted)]
    [InlineData("blacklist nf-conntrack-ftp", ModuleState.Blacklisted)]
    [InlineData("  blacklist\tnf_conntrack_ftp  ", ModuleState.Blacklisted)]
    [InlineData("# blacklist nf_conntrack_ftp", ModuleState.Available)]
    [InlineData("blacklist nf_conntrack", ModuleState.Available)]
    [InlineData("install nf_conntrack_ftp /bin/false", ModuleState.Blacklisted)]
    [InlineData("install nf_conntrack_ftp /usr/bin/true", ModuleState.Blacklisted)]
    [InlineData("install nf_conntrack_* /bin/false", ModuleState.Blacklisted)]
    [InlineData("install nf_conntrack_ftp /sbin/modprobe --ignore-install nf_conntrack_ftp", ModuleState.Available)]
    [InlineData("install nf_conntrack_ftp /sbin/modprobe -i nf_conntrack_ftp\ninstall nf_conntrack_ftp /bin/false", ModuleState.Available)]
    [InlineData("install \\\n nf_conntrack_ftp \\\n /bin/false", ModuleState.Blacklisted)]
    [InlineData("options nf_conntrack_ftp ports=21", ModuleState.Available)]
    [InlineData("softdep nf_conntrack_ftp pre: nf_nat_ftp", ModuleState.Available)]
    public void Lines_of_modprobe_d_block_a_module(string lines, ModuleState expected)
    {
        WriteModule(".ko");
        _root.Write("usr/lib/modprobe.d/dist.conf", lines);
        Assert.Equal(expected, State());
    }

    [Fact]
    public void A_file_of_etc_hides_one_of_the_same_name_in_lib()
    {
        WriteModule(".ko");
        _root.Write("usr/lib/modprobe.d/blacklist.conf", "blacklist nf_conntrack_ftp");
        Assert.Equal(ModuleState.Blacklisted, State());
        _root.Write("etc/modprobe.d/blacklist.conf", "# all allowed");
        Assert.Equal(ModuleState.Available, State());
        _root.Write("etc/modprobe.d/not-a-conf-file.txt", "blacklist nf_conntrack_ftp");
        Assert.Equal(ModuleState.Available, State());
    }

    [Theory]
    [InlineData("quiet modprobe.blacklist=nouveau,nf-conntrack-ftp ro", "modprobe.blacklist=nf-conntrack-ftp")]
    [InlineData("module_blacklist=nf_conntrack_ftp", "module_blacklist=nf_conntrack_ftp")]
    [InlineData("modprobe.blacklist=nf_conntrack_ftp2", null)]
    [InlineData("nomodule", null)]
    public void The_kernels_command_line_blocks_a_module(string commandLine, string? line)
    {
        WriteModule(".ko");
        _root.Write("proc/cmdline", commandLine);
        Assert.Equal(line is null ? ModuleState.Available : ModuleState.Blacklisted, State());
        Assert.Equal(line is null ? null : "the kernel's command line: " + line, Blocked());
    }

    [Fact]
    public void The_last_line_with_an_option_applies_and_the_command_line_comes_last()
    {
        Assert.Null(Ports(isBuiltIn: false));
        _root.Write("usr/lib/modprobe.d/z.conf", "options nf-conntrack-ftp loose=1 ports=2121 ");
        _root.Write("etc/modprobe.d/a.conf", "options nf_conntrack_ftp ports=21", "options nf_conntrack_ftp ports=21,990 \\", "  loose=0", "options nf_conntrack_tftp ports=6969");
        Assert.Equal("2121", Ports(isBuiltIn: false));
        Assert.Null(Ports(isBuiltIn: true));
        _root.Write("proc/cmdline", "ro nf_conntrack_ftp.ports=\"21,2100\" dyndbg=\"file a.c +p\"");
        Assert.Equal("21,2100", Ports(isBuiltIn: false));
        Assert.Equal("21,2100", Ports(isBuiltIn: true));
    }

    [Fact]
    public void A_parameter_of_the_running_module_is_that_of_sys()
    {
        _root.Write("sys/module/nf_conntrack_ftp/parameters/ports", "21,2121");
        using KernelModules modules = new(_root.Root);
        Assert.Equal("21,2121", modules.Parameter(Ftp, "ports"));
        Assert.Null(modules.Parameter(Ftp, "loose"));
        Assert.Null(modules.Parameter("nf_conntrack_tftp", "ports"));
    }

    [Fact]
    public void A_kernel_can_load_modules_on_demand_unless_files_say_otherwise()
    {
        Assert.False(CanLoad());
        _root.Write("proc/modules", "loop 32768 0 - Live 0x0");
        Assert.False(CanLoad());
        _root.Write("proc/sys/kernel/modprobe", "/sbin/modprobe");
        Assert.True(CanLoad());
        _root.Write("proc/sys/kernel/modules_disabled", "1");
        Assert.False(CanLoad());
        _root.Write("proc/sys/kernel/modules_disabled", "0");
        Assert.True(CanLoad());
        _root.Write("proc/sys/kernel/modprobe", "");
        Assert.False(CanLoad());
    }

    [Fact]
    public void A_file_that_cant_be_read_is_reported_and_skipped()
    {
        WriteModule(".ko");
        _root.Folder("etc/modprobe.d/odd.conf");
        _root.Folder("proc/cmdline");
        using KernelModules modules = new(_root.Root);
        Assert.Equal(ModuleState.Available, modules.StateOf(Ftp, FtpOption));
        Assert.Equal(2, modules.Problems.Count);
        Assert.Contains("odd.conf", modules.Problems[0], StringComparison.Ordinal);
        Assert.Contains("proc/cmdline", modules.Problems[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_masked_file_is_no_problem()
    {
        WriteModule(".ko");
        _root.Write("usr/lib/modprobe.d/no.conf", "blacklist nf_conntrack_ftp");
        _root.Folder("etc/modprobe.d");
        File.CreateSymbolicLink(_root.Path("etc/modprobe.d/no.conf"), "/dev/null");
        using KernelModules modules = new(_root.Root);
        Assert.Equal(ModuleState.Available, modules.StateOf(Ftp, FtpOption));
        Assert.Empty(modules.Problems);
    }

    /// <summary>Distributions have modules.dep files above the limit for settings files.</summary>
    [Fact]
    public void A_long_modules_dep_is_read()
    {
        WriteModule(".ko.zst");
        File.AppendAllLines(_root.Path(Modules + "modules.dep"), Enumerable.Range(0, 40_000).Select(i => $"kernel/drivers/a/module_number_{i}.ko.zst: kernel/b.ko.zst"));
        Assert.Equal(ModuleState.Available, State());
    }

    private void WriteModule(string extension)
    {
        string file = "kernel/net/netfilter/nf_conntrack_ftp" + extension;
        _root.Write(Modules + "modules.builtin", "kernel/fs/ext4/ext4.ko");
        _root.Write(Modules + "modules.dep", $"{file}: kernel/net/netfilter/nf_conntrack{extension}");
        _root.Write(Modules + file, "");
    }

    private ModuleState? State()
    {
        using KernelModules modules = new(_root.Root);
        return modules.StateOf(Ftp, FtpOption);
    }

    private string? Blocked()
    {
        using KernelModules modules = new(_root.Root);
        return modules.WhyBlocked(Ftp);
    }

    private string? Ports(bool isBuiltIn)
    {
        using KernelModules modules = new(_root.Root);
        return modules.NextParameter(Ftp, "ports", isBuiltIn);
    }

    private bool CanLoad()
    {
        using KernelModules modules = new(_root.Root);
        return modules.CanLoadOnDemand;
    }
}
