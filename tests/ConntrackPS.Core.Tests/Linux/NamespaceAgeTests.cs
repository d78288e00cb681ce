using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

public sealed class NamespaceAgeTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(2);

    [Fact]
    public void Our_own_is_as_old_as_this_process_at_least()
    {
        using Process self = Process.GetCurrentProcess();
        Assert.True(NamespaceAge.Of(null, NetworkNamespace.ReadIdentity(null)) >= DateTime.Now - self.StartTime - Tolerance);
    }

    [Fact]
    public void A_named_one_is_as_old_as_its_file()
    {
        TimeSpan age = NamespaceAge.Of(ns.Namespace, NetworkNamespace.ReadIdentity(ns.Namespace));
        Assert.InRange(age, DateTime.UtcNow - File.GetLastWriteTimeUtc(ns.Namespace.FilePath) - Tolerance, TimeSpan.FromMinutes(1));
        Assert.NotEqual(TimeSpan.Zero, age);
    }

    [Fact]
    public void One_of_a_process_is_as_old_as_the_oldest_in_it()
    {
        ProcessStartInfo start = new("unshare", ["--net", "sh", "-c", "echo; sleep 1.5; exec sh -c 'echo; exec cat'"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardOutput.ReadLine();
        process.StandardOutput.ReadLine();
        NetworkNamespace found = NetworkNamespace.Parse(process.Id.ToString(CultureInfo.InvariantCulture));
        double age = NamespaceAge.Of(found, NetworkNamespace.ReadIdentity(found)).TotalSeconds;
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.InRange(age, 1.3, 30);
    }

    [Fact]
    public void One_that_nobody_is_in_is_not_known_to_be_old() => Assert.Equal(TimeSpan.Zero, NamespaceAge.Of(NetworkNamespace.Parse("1"), "net:[1]"));
}
