using System.Collections.Concurrent;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A network namespace that one test, or the tests of one class, have for themselves.</summary>
/// <remarks>Its only interface is the loopback, so that no packet ever leaves it.</remarks>
public sealed class NetworkNamespaceFixture : IDisposable
{
    private static readonly ConcurrentDictionary<string, bool> Alive = new();

    // A test that is interrupted, or whose setup fails, disposes nothing: what is left goes with the process.
    static NetworkNamespaceFixture() =>
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Alive.Keys.ToList().ForEach(Delete);

    public NetworkNamespaceFixture()
    {
        Name = "cps-test-" + Guid.NewGuid().ToString("N")[..8];
        Shell.Run("ip", "netns", "add", Name);
        Alive[Name] = true;
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

    public void Dispose() => Delete(Name);

    private static void Delete(string name)
    {
        if (Alive.TryRemove(name, out _))
            Shell.Run("ip", "netns", "delete", name);
    }
}
