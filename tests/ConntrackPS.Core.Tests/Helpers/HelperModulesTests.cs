using ConntrackPS.Helpers;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tests.Tuning;

namespace ConntrackPS.Tests.Helpers;

/// <summary>The modules of helpers, on made-up systems with a modprobe that lists what it loads in their /proc/modules.</summary>
public sealed class HelperModulesTests : IDisposable
{
    private const string Release = "6.1";
    private const string Modules = $"lib/modules/{Release}/";

    private readonly PersistenceFixture _root = new();

    public HelperModulesTests()
    {
        _root.Write("proc/sys/kernel/osrelease", Release);
        _root.Write("proc/modules", "nf_conntrack 200704 1 - Live 0x0");
        _root.Write(Modules + "modules.builtin", "kernel/net/netfilter/nf_conntrack_tftp.ko");
        _root.Write(Modules + "modules.dep", "a/nf_conntrack_ftp.ko:", "a/nf_nat_ftp.ko: a/nf_conntrack_ftp.ko", "a/nf_nat_tftp.ko:", "a/nf_conntrack_sane.ko:", "a/nf_conntrack_sip.ko:");
        foreach (string module in (string[])["nf_conntrack_ftp", "nf_nat_ftp", "nf_nat_tftp", "nf_conntrack_sane", "nf_conntrack_sip"])
            _root.Write($"{Modules}a/{module}.ko", "");
        Program("usr/sbin/modprobe", "echo \"$1 24576 0 - Live 0x0\" >>$root/proc/modules");
    }

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData("ftp", "nf_conntrack_ftp nf_nat_ftp")]
    [InlineData("tftp", "nf_nat_tftp")]
    [InlineData("sane", "nf_conntrack_sane")]
    public void What_is_not_there_is_loaded_and_nothing_else(string helper, string modules)
    {
        HelperModules needed = Of(helper);
        Assert.Equal(modules.Split(' '), needed.ToLoad);
        Assert.Equal("", Calls());
        needed.Load(_root.Root);
        Assert.Equal(modules, Calls());
        Assert.Empty(Of(helper).ToLoad);
        Of(helper).Load(_root.Root);
        Assert.Equal(modules, Calls());
    }

    [Fact]
    public void The_program_is_the_one_that_the_kernel_runs()
    {
        _root.Write("proc/sys/kernel/modprobe", "/opt/kmod/modprobe");
        Program("opt/kmod/modprobe", "echo of the kernel >>$root/calls; echo \"$1 1 0 - Live 0x0\" >>$root/proc/modules");
        Of("sane").Load(_root.Root);
        Assert.Contains("of the kernel", _root.Text("calls"), StringComparison.Ordinal);
        File.Delete(_root.Path("opt/kmod/modprobe"));
        File.Delete(_root.Path("calls"));
        Of("tftp").Load(_root.Root);
        Assert.Equal("nf_nat_tftp", Calls());
    }

    [Theory]
    [InlineData("echo 'modprobe: ERROR: could not insert '$1': Operation not permitted' >&2; exit 1",
        "nf_conntrack_sane could not be loaded: modprobe: ERROR: could not insert nf_conntrack_sane: Operation not permitted.")]
    [InlineData("exit 3", "nf_conntrack_sane could not be loaded: 'ROOT/usr/sbin/modprobe nf_conntrack_sane' ended with 3.")]
    [InlineData("exit 0", "nf_conntrack_sane could not be loaded: 'ROOT/usr/sbin/modprobe nf_conntrack_sane' reported no error, but the module is not loaded.")]
    public void The_error_of_modprobe_is_told(string program, string message)
    {
        Program("usr/sbin/modprobe", program);
        HelperModuleException exception = Assert.Throws<HelperModuleException>(() => Of("sane").Load(_root.Root));
        Assert.Equal((HelperModuleProblem.NotLoaded, "nf_conntrack_sane"), (exception.Problem, exception.Module));
        Assert.Equal(message.Replace("ROOT", _root.Root.Path, StringComparison.Ordinal), exception.Message);
    }

    [Fact]
    public void A_program_that_is_missing_or_cant_be_run_is_told()
    {
        File.WriteAllText(_root.Path("usr/sbin/modprobe"), "not a program");
        Assert.Contains("could not be run (", Assert.Throws<HelperModuleException>(() => Of("sane").Load(_root.Root)).Message, StringComparison.Ordinal);
        File.Delete(_root.Path("usr/sbin/modprobe"));
        Assert.Equal("nf_conntrack_sane can't be loaded: there is no program modprobe.", Assert.Throws<HelperModuleException>(() => Of("sane").Load(_root.Root)).Message);
    }

    [Fact]
    public void The_options_of_the_caller_do_not_reach_the_program()
    {
        Program("usr/sbin/modprobe", "echo \"${MODPROBE_OPTIONS-none} $LC_ALL $#\" >>$root/calls; echo \"$1 1 0 - Live 0x0\" >>$root/proc/modules");
        Environment.SetEnvironmentVariable("MODPROBE_OPTIONS", "--dry-run");
        try
        {
            Of("sane").Load(_root.Root);
        }
        finally
        {
            Environment.SetEnvironmentVariable("MODPROBE_OPTIONS", null);
        }

        Assert.Contains("none C 1", _root.Text("calls"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ftp", "blacklist nf_conntrack_ftp", "nf_conntrack_ftp")]
    [InlineData("ftp", "install nf_nat_ftp /bin/false", "nf_nat_ftp")]
    public void What_an_administrator_forbids_is_refused_with_the_line(string helper, string line, string module)
    {
        _root.Write("etc/modprobe.d/no.conf", "# none", line);
        HelperModuleException exception = Assert.Throws<HelperModuleException>(() => Of(helper));
        Assert.Equal((HelperModuleProblem.Blacklisted, module), (exception.Problem, exception.Module));
        Assert.Equal($"{module} may not be loaded: {_root.Path("etc/modprobe.d/no.conf")}: {line}.", exception.Message);
        Assert.Equal("", Calls());
    }

    [Fact]
    public void What_the_kernel_lacks_is_refused()
    {
        HelperModuleException exception = Assert.Throws<HelperModuleException>(() => Of("irc"));
        Assert.Equal((HelperModuleProblem.Missing, "The kernel has no nf_conntrack_irc."), (exception.Problem, exception.Message));
    }

    [Fact]
    public void A_kernel_without_the_nat_module_has_the_helper_without_nat()
    {
        HelperModules sip = Of("sip");
        Assert.Equal(["nf_conntrack_sip"], sip.ToLoad);
        Assert.Equal(["The kernel has no nf_nat_sip: sip does not work for connections under NAT."], sip.Warnings);
    }

    [Theory]
    [InlineData("etc/modprobe.d/ports.conf", "options nf_conntrack_ftp ports=2121", true)]
    [InlineData("etc/modprobe.d/ports.conf", "options nf_conntrack_ftp ports=2121,21", false)]
    [InlineData("sys/module/nf_conntrack_ftp/parameters/ports", "2121,2122", true)]
    [InlineData("sys/module/nf_conntrack_ftp/parameters/ports", "21,2121", false)]
    public void A_module_whose_ports_lack_the_usual_one_has_no_helper_of_the_name(string file, string line, bool isRefused)
    {
        _root.Write(file, line);
        if (!isRefused)
        {
            Of("ftp");
            return;
        }

        HelperModuleException exception = Assert.Throws<HelperModuleException>(() => Of("ftp"));
        Assert.Equal(HelperModuleProblem.Renamed, exception.Problem);
        Assert.EndsWith("without 21: so the kernel has no helper named ftp, only ftp-N.", exception.Message, StringComparison.Ordinal);
    }

    private HelperModules Of(string helper) => HelperModules.Of(_root.Root, HelperCatalog.Find(helper)!);

    private string Calls() => File.Exists(_root.Path("calls")) ? string.Join(' ', File.ReadAllLines(_root.Path("calls"))) : "";

    /// <summary>Another process writes the file: while this one has it open for writing, a fork of another test would keep it from being run.</summary>
    private void Program(string path, string commands)
    {
        _root.Folder(Path.GetDirectoryName(path)!);
        string text = $"#!/bin/sh\nroot={_root.Root.Path}\necho \"$@\" >>$root/calls\n{commands}\n";
        Shell.Run("sh", "-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"", _root.Path(path), text);
    }
}
