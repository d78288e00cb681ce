using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

public sealed class NetworkNamespaceTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    private static string Here => File.ResolveLinkTarget("/proc/thread-self/ns/net", returnFinalTarget: false)!.Name;

    [Fact]
    public void A_name_is_found_below_run_netns()
    {
        NetworkNamespace found = NetworkNamespace.Parse(ns.Name);
        Assert.Equal(ns.Name, found.Name);
        Assert.Equal(ns.Name, found.ToString());
        Assert.Equal("/run/netns/" + ns.Name, found.FilePath);
    }

    [Fact]
    public void A_path_is_taken_as_it_is()
    {
        NetworkNamespace found = NetworkNamespace.Parse($"/run/netns/{ns.Name}");
        Assert.Equal(Inode(ns.Namespace), Inode(found));
    }

    [Fact]
    public void A_process_id_stands_for_the_namespace_of_that_process()
    {
        using Process sleeper = Process.Start("ip", ["netns", "exec", ns.Name, "sleep", "60"])!;
        try
        {
            string id = sleeper.Id.ToString(CultureInfo.InvariantCulture);

            // "ip" needs a moment to enter the namespace. It stays the same process when it executes "sleep".
            Assert.True(Wait.Until(() => Inode(NetworkNamespace.Parse(id)) == Inode(ns.Namespace)));
        }
        finally
        {
            sleeper.Kill();
            sleeper.WaitForExit();
        }
    }

    [Fact]
    public void The_caller_s_own_process_stands_for_the_caller_s_namespace() =>
        Assert.Equal(Here, Inode(NetworkNamespace.Parse(Environment.ProcessId.ToString(CultureInfo.InvariantCulture))));

    [Theory]
    [InlineData("cps-test-none")]
    [InlineData("/run/netns/cps-test-none")]
    [InlineData("/run/netns")]
    [InlineData("4194305")]
    [InlineData("-1")]
    [InlineData(".")]
    public void An_unknown_one_is_an_error_that_says_so(string value)
    {
        NetworkNamespaceException exception = Assert.Throws<NetworkNamespaceException>(() => NetworkNamespace.Parse(value));
        Assert.Equal(Errno.NotFound, exception.Errno);
        Assert.Equal(value, exception.NetworkNamespace);
        Assert.Contains($"'{value}'", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    public void No_text_names_no_namespace(string value) => Assert.Equal(
        Errno.NotFound, Assert.Throws<NetworkNamespaceException>(() => NetworkNamespace.Parse(value)).Errno);

    [Fact]
    public void A_file_that_is_no_namespace_is_refused_when_entered()
    {
        NetworkNamespace file = NetworkNamespace.Parse("/proc/self/maps");
        NetworkNamespaceException exception = Assert.Throws<NetworkNamespaceException>(() => file.Run(() => 0));
        Assert.Equal(Errno.InvalidArgument, exception.Errno);
        Assert.Throws<NetworkNamespaceException>(() => new ConntrackTable(file).Read().Any());
    }

    [Fact]
    public void A_namespace_of_another_kind_is_refused_when_entered()
    {
        NetworkNamespace mount = NetworkNamespace.Parse("/proc/self/ns/mnt");
        Assert.Equal(Errno.InvalidArgument, Assert.Throws<NetworkNamespaceException>(() => mount.Run(() => 0)).Errno);
    }

    [Fact]
    public void One_that_vanished_since_is_not_found_when_entered()
    {
        NetworkNamespaceFixture gone = new();
        gone.Dispose();
        Assert.Equal(Errno.NotFound, Assert.Throws<NetworkNamespaceException>(() => gone.Namespace.Run(() => 0)).Errno);
    }

    [Fact]
    public void An_action_runs_inside_and_the_caller_stays_outside()
    {
        string before = Here;
        Assert.Equal(Inode(ns.Namespace), ns.Namespace.Run(() => Here));
        Assert.Equal(before, Here);
    }

    [Fact]
    public void An_action_s_exception_comes_back_as_it_was() =>
        Assert.Equal("inside", Assert.Throws<InvalidOperationException>(() => ns.Namespace.Run<int>(() => throw new InvalidOperationException("inside"))).Message);

    [Fact]
    public void Without_a_namespace_the_action_runs_on_the_caller_s_thread() =>
        Assert.Equal(Environment.CurrentManagedThreadId, NetworkNamespace.RunIn(null, () => Environment.CurrentManagedThreadId));

    [Fact]
    public void The_names_are_those_of_ip_netns_list()
    {
        Assert.Contains(ns.Name, NetworkNamespace.Names());
        Assert.Equal(NetworkNamespace.Names().Order(StringComparer.Ordinal), NetworkNamespace.Names());
    }

    /// <summary>"net:[4026531840]": equal names mean the same namespace.</summary>
    private static string Inode(NetworkNamespace networkNamespace) =>
        $"net:[{Shell.Run("stat", "--dereference", "--format=%i", networkNamespace.FilePath).Trim()}]";
}
