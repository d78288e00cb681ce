using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>The hash table is resized during a dump. The dump then loses entries and repeats others, and the kernel does not report
/// it.</summary>
[Collection(nameof(MachineWide))]
public sealed class ResizeTests : IDisposable
{
    private const string Buckets = ResizeStorm.Buckets;
    private const int Count = 20_000;

    private readonly NetworkNamespaceFixture _ns = new();
    private readonly long _before = Sysctl.ReadNumber(Buckets)!.Value;

    public void Dispose()
    {
        if (Sysctl.ReadNumber(Buckets) != _before)
            Sysctl.WriteNumber(Buckets, _before);
        _ns.Dispose();
    }

    [ResizeFact]
    public void Every_entry_comes_and_none_twice()
    {
        TableFiller.Fill(_ns, Count);
        using EntryReader reader = new(_ns.Namespace, FilterPlanner.Plan(new ConntrackFilter()));
        List<ConntrackEntry> read = [.. reader.ReadBatch()!];
        Assert.InRange(read.Count, 1, Count / 2);
        Sysctl.WriteNumber(Buckets, _before / 2);
        while (reader.ReadBatch() is { } batch)
            read.AddRange(batch);
        Assert.Equal(1, reader.Repeats);
        Assert.Equal(Count, read.Select(entry => entry.Original).Distinct().Count());
        Assert.Equal(Count, read.Count);
    }

    /// <summary>On a busy machine a reader may not run between two resizes.</summary>
    [ResizeFact]
    public void A_size_that_is_back_before_anybody_looks_is_noticed()
    {
        using ResizeGuard guard = new(), elsewhere = _ns.Namespace.Run(() => new ResizeGuard());
        Assert.False(guard.HasResized() || elsewhere.HasResized());
        Sysctl.WriteNumber(Buckets, _before / 2);
        Sysctl.WriteNumber(Buckets, _before);
        Assert.Equal((true, true), (guard.HasResized(), elsewhere.HasResized()));
        Assert.Equal((false, false), (guard.HasResized(), elsewhere.HasResized()));
        const string Parameter = "/sys/module/nf_conntrack/parameters/hashsize";
        Sysctl.WriteNumber(Parameter, _before / 2);
        Sysctl.WriteNumber(Parameter, _before);
        Assert.Equal((true, true), (guard.HasResized(), elsewhere.HasResized()));
    }

    /// <summary>.NET locks the files that it opens, and the process that writes the size may do so too.</summary>
    [ResizeFact]
    public void Whoever_sets_the_size_may_have_the_file_for_itself()
    {
        using ResizeGuard guard = new();
        using FileStream file = new(Buckets, FileMode.Open, FileAccess.Write, FileShare.None);
        file.Write(System.Text.Encoding.ASCII.GetBytes($"{_before}"));
    }

    /// <summary>With a filter that the kernel does not support, every entry is listed, and deleted one by one.</summary>
    [ResizeFact]
    public void A_deletion_in_a_storm_leaves_nothing_or_says_that_it_may()
    {
        TableFiller.Fill(_ns, 3 * Count);
        ConntrackFilter filter = new() { DestinationPort = [new PortRange(79, 80)] };
        Exception? failure;
        int resizes;
        using (ResizeStorm storm = new())
        {
            failure = Record.Exception(() => _ns.Table.Delete(filter, result => throw result.Failure!));
            resizes = storm.Resizes;
        }

        int left = ConntrackTool.ListXml(_ns).Count;
        Assert.True(left == 0 || failure is not null, $"{left} entries are left without a word, after {resizes} resizes.");
    }

    /// <summary>The kernel deletes all entries itself, and blocks resizes meanwhile (nf_conntrack_mutex).</summary>
    [ResizeFact]
    public void A_deletion_by_one_request_in_a_storm_leaves_nothing()
    {
        TableFiller.Fill(_ns, 3 * Count);
        using (ResizeStorm storm = new())
            Assert.True(_ns.Table.Delete(new ConntrackFilter { Protocol = [IPProtocol.Tcp], AddressFamily = IPFamily.IPv4 }, result => throw result.Failure!).IsEstimate);
        Assert.DoesNotContain(ConntrackTool.ListXml(_ns), flow => flow.Family == 2);
    }
}
