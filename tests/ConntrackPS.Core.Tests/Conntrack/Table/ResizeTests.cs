using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Tests that change what the whole machine shares run while no other does.</summary>
[CollectionDefinition(nameof(MachineWide), DisableParallelization = true)]
public sealed class MachineWide;

/// <summary>The hash table is resized under a dump, which then loses entries and repeats others, and says nothing.</summary>
[Collection(nameof(MachineWide))]
public sealed class ResizeTests : IDisposable
{
    private const string Buckets = Sysctl.Netfilter + "nf_conntrack_buckets";
    private const int Count = 20_000;

    private readonly NetworkNamespaceFixture _ns = new();
    private readonly long _before = Sysctl.ReadNumber(Buckets)!.Value;

    public void Dispose()
    {
        Sysctl.WriteNumber(Buckets, _before);
        _ns.Dispose();
    }

    [Fact]
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
        Assert.False(reader.Interrupted);
        Assert.Equal(Count, read.Select(entry => entry.Original).Distinct().Count());
        Assert.Equal(Count, read.Count);
    }

    [Fact]
    public void A_table_that_never_holds_still_is_given_up_with_a_warning()
    {
        TableFiller.Fill(_ns, Count);
        using EntryReader reader = new(_ns.Namespace, FilterPlanner.Plan(new ConntrackFilter()));
        HashSet<ConntrackTuple> seen = [];
        for (long size = _before; reader.ReadBatch() is { } batch; size = size == _before ? _before / 2 : _before)
        {
            Assert.All(batch, entry => Assert.True(seen.Add(entry.Original)));
            if (!reader.Interrupted)
                Sysctl.WriteNumber(Buckets, size);
        }

        Assert.True(reader.Interrupted);
    }
}
