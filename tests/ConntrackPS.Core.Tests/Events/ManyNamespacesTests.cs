using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

/// <summary>A container host: hundreds of network namespaces, few of which have entries.</summary>
[Collection(nameof(Alone))]
public sealed class ManyNamespacesTests : IDisposable
{
    private const int Count = 400;
    private const int MostThreads = 4;

    private readonly string _prefix = $"cps-test-{Environment.ProcessId}-many";
    private readonly List<NetworkNamespaceFixture> _made = [];
    private readonly NetworkNamespace[] _all;

    public ManyNamespacesTests()
    {
        Batch("add", Count);
        _all = [.. Enumerable.Range(0, Count).Select(i => NetworkNamespace.Parse($"{_prefix}{i}"))];
    }

    public void Dispose()
    {
        _made.ForEach(made => made.Dispose());
        Batch("delete", Count);
    }

    /// <summary>The count is that of the namespace, whatever namespaces the thread was in before. It includes dying and unconfirmed
    /// entries, which a listing does not show.</summary>
    [Fact]
    public void Counts_are_those_of_each_namespace()
    {
        NetworkNamespaceFixture some = Make();
        TableFiller.Fill(some, 7);
        NetworkNamespace[] asked = [.. _all[..200], some.Namespace, .. _all[200..]];
        uint?[] counts = TableCount.ReadAll(asked);
        Assert.Equal(asked.Select(where => where == some.Namespace ? 7u : 0u), counts.Select(count => count!.Value));
        Assert.Equal("7", some.Exec("sysctl", "-n", "net.netfilter.nf_conntrack_count").Trim());
        some.Dispose();
        Assert.Equal([0u, null, 0u], TableCount.ReadAll([_all[0], some.Namespace, _all[1]]));
    }

    /// <summary>For a dump the kernel walks the hash table of the whole machine, even if the namespace is empty.</summary>
    [Fact]
    public void Empty_ones_are_not_walked()
    {
        NetworkNamespaceFixture some = Make();
        TableFiller.Fill(some, 3);
        Assert.All(_all, where => Assert.Empty(Read(where, ScanTerms.Default)));

        // A walk would find entries despite the count of 0.
        Assert.Empty(Read(some.Namespace, new ScanTerms { ReadCount = _ => 0 }));
        Assert.Equal(3, Read(some.Namespace, new ScanTerms { ReadCount = _ => null }).Count);
        Assert.Equal(3, Read(some.Namespace, ScanTerms.Default).Count);

        static List<ConntrackEntry> Read(NetworkNamespace where, ScanTerms terms) =>
            [.. new ConntrackTable(where, KernelFeatures.All, terms).Read()];
    }

    [Fact]
    public void A_watch_of_all_has_few_threads_while_they_come_and_go()
    {
        using EventStream stream = new(new EventOptions { IncludeExisting = true }, [.. _all]);
        int threads = 0;
        using CancellationTokenSource done = new();
        Thread counting = new(() =>
        {
            while (!done.IsCancellationRequested)
            {
                threads = Math.Max(threads, ProcessState.CountThreads());
                Thread.Sleep(5);
            }
        });
        counting.Start();
        HashSet<string?> heard = [];
        List<string> gone = [];
        foreach (int chosen in (int[])[0, 199, 399])
            Assert.True(Hears(_all[chosen].Name));
        NetworkNamespace[] going = [_all[1], _all[200], _all[398]];
        foreach (NetworkNamespace one in going)
            Shell.Run("ip", "netns", "delete", one.Name);
        Assert.True(Wait.Until(() =>
        {
            stream.Take(TimeSpan.FromMilliseconds(20));
            while (stream.TryTakeFailure(out Exception? failure))
                gone.Add(Assert.IsType<NetworkNamespaceException>(failure).NetworkNamespace);
            return gone.Count == going.Length;
        }));
        Assert.Equal(going.Select(one => one.Name).Order(), gone.Order());
        heard.Clear();
        Assert.True(Hears(_all[2].Name));
        done.Cancel();
        Assert.True(Wait.For(counting));
        Assert.InRange(threads, 1, MostThreads);

        bool Hears(string name) => Wait.Until(() =>
        {
            Shell.Run("ip", "netns", "exec", name, "sh", "-c", "conntrack -F; conntrack -I -s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 53 -t 60");
            heard.UnionWith(stream.Take(TimeSpan.FromMilliseconds(50)).Select(happened => happened.Namespace));
            return heard.Contains(name);
        });
    }

    private NetworkNamespaceFixture Make()
    {
        NetworkNamespaceFixture made = new();
        _made.Add(made);
        return made;
    }

    private void Batch(string verb, int count) => Shell.Run(
        "sh", "-c", $"for i in $(seq 0 {count - 1}); do ip netns {verb} {_prefix}$i 2>/dev/null; done; true");
}
