using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench.Events;

/// <summary><c>conntrack -E</c> with discarded output, for comparison.</summary>
internal sealed class ConntrackListener : IDisposable
{
    private readonly NetworkNamespace _namespace;
    private readonly Process _process;

    public ConntrackListener(NetworkNamespace networkNamespace)
    {
        _namespace = networkNamespace;
        _process = Process.Start("ip", ["netns", "exec", networkNamespace.Name, "sh", "-c", "exec conntrack -E -b 67108864 >/dev/null 2>&1"]);
        while (!Sockets().Any())
            Thread.Sleep(20);
    }

    /// <summary>The number of events that the kernel dropped for it, after it has read the others: the column Drops of /proc/net/netlink.</summary>
    public long CountDrops()
    {
        while (Sockets().Any(columns => columns[4] != "0"))
            Thread.Sleep(20);
        return Sockets().Sum(columns => long.Parse(columns[8], CultureInfo.InvariantCulture));
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    // Protocol 12 with groups. Any other listener here has no drops, or the bench reports them.
    private IEnumerable<string[]> Sockets() => _namespace.Run(() => File.ReadAllLines("/proc/thread-self/net/netlink"))
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(columns => columns is [_, "12", _, not "00000000", ..]);
}
