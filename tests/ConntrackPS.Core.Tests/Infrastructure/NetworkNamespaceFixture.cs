using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A network namespace that one test, or the tests of one class, have for themselves.</summary>
/// <remarks>Its only interface is the loopback, so that no packet ever leaves it.</remarks>
public sealed class NetworkNamespaceFixture : IDisposable
{
    private const string Prefix = "cps-test-";

    // A test host that is killed disposes nothing. The name tells whose a namespace is, so that the next run can clean up
    // after the dead, and only after them.
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
    /// <returns>What it printed.</returns>
    public string Exec(string program, params IEnumerable<string> arguments) =>
        Shell.Run("ip", ["netns", "exec", Name, program, .. arguments]);

    /// <summary>Sets a parameter of this namespace, such as <c>nf_conntrack_acct</c>.</summary>
    public void SetConntrackSetting(string name, int value) =>
        Exec("sysctl", "-qw", $"net.netfilter.{name}={value}");

    /// <summary>Makes packets of this namespace entries of its table: without a rule that asks for it, nothing is tracked.
    /// </summary>
    public void TrackPackets() =>
        Exec("nft", "add table inet track; add chain inet track output { type filter hook output priority 0; ct state invalid counter; }");

    /// <summary>Deletes the namespace, unless <see cref="Dispose"/> has done so before.</summary>
    public void Dispose()
    {
        if (File.Exists(Namespace.FilePath))
            Delete(Name);
    }

    private static void Delete(string name) => Shell.Run("ip", "netns", "delete", name);
}
