using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A network namespace that one test, or the tests of one class, have for themselves.</summary>
/// <remarks>Its only interface is the loopback, so that no packet ever leaves it.</remarks>
public sealed class NetworkNamespaceFixture : IDisposable
{
    public NetworkNamespaceFixture()
    {
        Name = "cps-test-" + Guid.NewGuid().ToString("N")[..8];
        Shell.Run("ip", "netns", "add", Name);
        Exec("ip", "link", "set", "lo", "up");
        Namespace = NetworkNamespace.Parse(Name);
        Table = new ConntrackTable(Namespace);
    }

    public string Name { get; }

    public NetworkNamespace Namespace { get; }

    public ConntrackTable Table { get; }

    /// <summary>Runs a program inside the namespace.</summary>
    /// <returns>What it printed.</returns>
    public string Exec(string program, params IEnumerable<string> arguments) =>
        Shell.Run("ip", ["netns", "exec", Name, program, .. arguments]);

    /// <summary>Sets a parameter of this namespace, such as <c>nf_conntrack_acct</c>.</summary>
    public void SetConntrackSetting(string name, int value) =>
        Exec("sysctl", "-qw", $"net.netfilter.{name}={value}");

    public void Dispose() => Shell.Run("ip", "netns", "delete", Name);
}
