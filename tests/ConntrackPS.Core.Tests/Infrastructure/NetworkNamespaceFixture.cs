using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A network namespace for one test, or for the tests of one class.</summary>
/// <remarks>Its only interface is the loopback, so no packet leaves it.</remarks>
public sealed class NetworkNamespaceFixture : IDisposable
{
    private const string Prefix = "cps-test-";

    // A killed test host disposes nothing. The name contains the owner, so that the next run can delete the namespaces of processes that
    // have ended, and only those.
    static NetworkNamespaceFixture()
    {
        foreach (string name in NetworkNamespace.Names().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            if (name[Prefix.Length..].Split('-') is [var process, _] && !Directory.Exists($"/proc/{process}"))
                Record.Exception(() => Delete(name));
        }
    }

    public NetworkNamespaceFixture()
    {
        Name = $"{Prefix}{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";
        Shell.Run("ip", "netns", "add", Name);
        Exec("ip", "link", "set", "lo", "up");
        Namespace = NetworkNamespace.Parse(Name);
        Table = new ConntrackTable(Namespace);
    }

    public string Name { get; }

    public NetworkNamespace Namespace { get; }

    public ConntrackTable Table { get; }

    /// <summary>Runs a program inside the namespace.</summary>
    /// <returns>The output of the program.</returns>
    public string Exec(string program, params IEnumerable<string> arguments) =>
        Shell.Run("ip", ["netns", "exec", Name, program, .. arguments]);

    /// <summary>Sets a parameter of this namespace, such as <c>nf_conntrack_acct</c>.</summary>
    public void SetConntrackSetting(string name, int value) =>
        Exec("sysctl", "-qw", $"net.netfilter.{name}={value}");

    /// <summary>Enables tracking of this namespace's packets: without a rule that requires it, nothing is tracked.</summary>
    public void TrackPackets() =>
        Exec("nft", "add table inet track; add chain inet track output { type filter hook output priority 0; ct state invalid counter; }");

    /// <summary>Deletes the namespace, unless it is already deleted.</summary>
    public void Dispose()
    {
        if (File.Exists(Namespace.FilePath))
            Delete(Name);
    }

    private static void Delete(string name) => Shell.Run("ip", "netns", "delete", name);
}
